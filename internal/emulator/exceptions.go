package emulator

// Exceptions are what an emulator cannot do of what we ask of AWS, with the reason:
// by the emulator's name, then by the sentence of a contract (queuetest) or the
// feature (ledger/dynamodb). The tests fail when one is no longer needed. All else
// that the contracts of queue and ledger say, every emulator keeps.
var Exceptions = map[string]map[string]string{
	"elasticmq": {
		returned: "it takes the last receipt of a message that nobody holds, and hides the message again; SQS answers MessageNotInflight",
	},
	"ministack": {
		returned: "it takes the last receipt of a message that nobody holds, and hides the message again; SQS answers MessageNotInflight",
	},
	"DynamoDB Local": {
		"point-in-time recovery": "it has no backups: UpdateContinuousBackups is an unknown operation",
		"a key of AWS KMS":       "it encrypts nothing, and does not say which key was asked for",
	},
}

const returned = "Extend answers ErrLeaseLost for a returned message"
