package app

import (
	"os"
	"strings"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/sqlrows"
)

// sqlFlags are a task's settings of databases. Their DSNs are no flags: everybody on a
// machine can read the arguments of a command.
type sqlFlags struct {
	SQLConnections string `name:"sql-connections" help:"Connections to a database at a time (RAMIFY_SQL_DSN_NAME is that of the database name)." default:"8" placeholder:"N"`
}

// addRows adds what reads rows. A run of this machine may have its own database.
func (f *sqlFlags) addRows(set processor.Set, own bool) error {
	o := sqlrows.Options{DSNs: databases(os.Environ()), FromRun: own}
	if f.SQLConnections != "" {
		err := readSettings([]setting{{"sql-connections", f.SQLConnections, number(&o.Connections, 1, 1000)}})
		if err != nil {
			return err
		}
	}
	set[sqlrows.Kind] = sqlrows.New(o)
	return nil
}

// databases are the DSNs of an environment, by the name of the database.
func databases(environ []string) map[string]string {
	dsns := map[string]string{}
	for _, v := range environ {
		variable, dsn, _ := strings.Cut(v, "=")
		if name, is := strings.CutPrefix(variable, sqlrows.Variable("")); is && dsn != "" {
			dsns[strings.ToLower(name)] = dsn
		}
	}
	return dsns
}
