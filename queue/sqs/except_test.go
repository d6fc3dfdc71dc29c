package sqs_test

// exceptions are the sentences of the contract that a server we test on does not
// keep, though SQS does. queuetest fails when one is no longer needed.
var exceptions = map[string]map[string]string{
	"elasticmq": {
		"Extend answers ErrLeaseLost for a returned message": "it takes the last receipt of a message that nobody holds, and hides the message again; SQS answers MessageNotInflight",
	},
	"ministack": {
		"Extend answers ErrLeaseLost for a returned message": "it takes the last receipt of a message that nobody holds, and hides the message again; SQS answers MessageNotInflight",
	},
}
