import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDB Local on loopback. It has no option for the address, and listens on
 * all of them; so its Jetty is told.
 */
public class Launcher {
	public static void main(String[] args) throws Exception {
		DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(args);
		Field field = DynamoDBProxyServer.class.getDeclaredField("server");
		field.setAccessible(true);
		ServerConnector connector = (ServerConnector) ((Server) field.get(proxy)).getConnectors()[0];
		connector.setHost("127.0.0.1");
		proxy.safeStart();
		Thread.currentThread().join();
	}
}
