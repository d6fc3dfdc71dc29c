// A worker on sqs-consumer. See ../README.md for what it is told and what it says.
import { createInterface } from "node:readline";
import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Consumer } from "sqs-consumer";

const { FLEET_QUEUE: queueUrl, FLEET_FORM: form, AWS_ENDPOINT_URL_SQS: endpoint } = process.env;
const fanout = Number(process.env.FLEET_FANOUT);
const consumers = Number(process.env.FLEET_CONSUMERS || 8);

const sqs = new SQSClient({
  endpoint,
  useQueueUrlAsEndpoint: false,
  requestHandler: new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 256 } }),
});

let walk = null;

const say = (word) => process.stdout.write(JSON.stringify(word) + "\n");

const childrenOf = ({ w, d, p }) =>
  d === 0 ? [] : Array.from({ length: fanout }, (_, i) => ({ w, d: d - 1, p: p * fanout + i + 1 }));

function done({ w, p }) {
  if (!walk || w !== walk.w || walk.seen[p]) return;
  walk.seen[p] = 1;
  if (++walk.count === walk.nodes) {
    say({ nodes: walk.count, seconds: (performance.now() - walk.began) / 1000 });
    walk = null;
  }
}

async function sendBatches(children) {
  const sends = [];
  for (let i = 0; i < children.length; i += 10) {
    const Entries = children.slice(i, i + 10).map((c, n) => ({ Id: String(n), MessageBody: JSON.stringify(c) }));
    sends.push(sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries })));
  }
  for (const { Failed } of await Promise.all(sends)) {
    if (Failed?.length) throw new Error(`send: ${Failed[0].Message}`);
  }
}

const forms = {
  // One call for each child and, made by sqs-consumer, one for each delete.
  plain: {
    handleMessage: async (message) => {
      const node = JSON.parse(message.Body);
      await Promise.all(
        childrenOf(node).map((c) => sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify(c) }))),
      );
      done(node);
      return message;
    },
  },
  // The children of all messages of a receive share sends; the deletes are sqs-consumer's, batched.
  batched: {
    handleMessageBatch: async (messages) => {
      const nodes = messages.map((m) => JSON.parse(m.Body));
      await sendBatches(nodes.flatMap(childrenOf));
      nodes.forEach(done);
      return messages;
    },
  },
};

for (let i = 0; i < consumers; i++) {
  const consumer = Consumer.create({ queueUrl, sqs, batchSize: 10, waitTimeSeconds: 20, ...forms[form] });
  for (const event of ["error", "processing_error", "timeout_error"]) {
    consumer.on(event, (err) => {
      console.error(err.message);
      process.exit(1);
    });
  }
  consumer.start();
}

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { walk: w, depth } = JSON.parse(line);
    let nodes = 0;
    for (let level = 0, width = 1; level <= depth; level++, width *= fanout) nodes += width;
    walk = { w, nodes, seen: new Uint8Array(nodes), count: 0, began: performance.now() };
    await sendBatches([{ w, d: depth, p: 0 }]);
  })
  .on("close", () => process.exit(0));
say({ ready: true });
