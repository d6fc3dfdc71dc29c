package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// importRule says what the packages of some folders must not import. Patterns
// are Go's ("x/..." is x and all below); those of our own module start with "./".
// What allow matches is never denied, and every adapter may import its own parts.
type importRule struct {
	name      string // as in .golangci.yml
	in        []string
	outside   []string // folders of in that are free
	tests     bool     // holds for test files, too
	freeTests []string // but not for those of these folders
	deny      []string
	allow     []string
	fix       string
}

var (
	seams    = []string{"./queue", "./ledger", "./processor", "./sink"}
	adapters = below(seams)
	engine   = []string{"./task/...", "./seed/...", "./post/...", "./sweep/..."}
	outer    = []string{"./cmd/...", "./app/...", "./web/...", "./console/...", "./infra/...", "./metricfn/..."}
	// What works on the objects of a crawl.
	crawlFamily = []string{"./processor/s3copy/...", "./processor/s3objects/..."}
	within      = []string{"./internal/batch/...", "./internal/ecs/...", "./internal/emf/...", "./internal/health/...", "./internal/legible/...", "./internal/pace/...", "./internal/sqsapi/...", "./internal/whim/...", "./release"}

	importRules = []importRule{
		{
			name: "schema", in: []string{"./schema/..."}, tests: true,
			deny: []string{"./..."}, allow: []string{"./schema/..."},
			fix: "schema is the innermost room and knows nobody: move what it needs into it",
		},
		{
			name: "keyring", in: []string{"./keyring/..."},
			deny: []string{"./..."}, allow: []string{"./keyring/...", "./schema"},
			fix: "keyring brings the keys of schema from where they are, and knows no other room",
		},
		{
			name: "jobs", in: []string{"./jobs/..."}, tests: true,
			deny: []string{"./..."}, allow: []string{"./jobs/...", "./schema"},
			fix: "jobs says what commands there are, and runs none: it knows no other room",
		},
		{
			name: "jobqueue", in: []string{"./jobqueue/..."},
			deny: []string{"./..."}, allow: []string{"./jobqueue/...", "./queue", "./schema", "./internal/gate", "./internal/sqsapi", "./internal/store"},
			fix: "jobqueue knows queues and the node message: what runs a job is passed to it",
		},
		{
			name: "schedule", in: []string{"./schedule/..."},
			deny: []string{"./..."}, allow: []string{"./schedule/...", "./ledger", "./schema"},
			fix: "schedule says when, and asks a ledger who looks after it: what it starts is passed to it",
		},
		{
			name: "doors", in: []string{"./guard/...", "./authority/...", "./policy/..."},
			deny: []string{"./..."}, allow: []string{"./guard/...", "./authority/...", "./policy/..."},
			fix: "who may ask is decided without knowing what is asked for: pass it what it needs",
		},
		{
			name: "trigger", in: []string{"./trigger/..."},
			deny: []string{"./..."}, allow: []string{"./trigger/...", "./guard"},
			fix: "trigger reads requests and starts nothing itself: what does is passed to it",
		},
		{
			name: "web", in: []string{"./web/..."},
			deny: []string{"./..."}, allow: []string{"./web/...", "./guard", "./console"},
			fix: "web shows figures of the console and reads none: what reads them is passed to it",
		},
		{
			name: "report", in: []string{"./report/..."},
			deny: []string{"./..."}, allow: []string{"./report/...", "./console"},
			fix: "report writes down what it is given and reads nothing: what reads it is passed to it",
		},
		{
			name: "rooms within", in: within,
			deny: []string{"./..."}, allow: within,
			fix: "it serves any room and knows none: pass it what it needs",
		},
		{
			name: "inventory", in: []string{"./inventory/..."}, tests: true,
			deny: []string{"./..."}, allow: []string{"./inventory/..."},
			fix: "inventory knows no other room: pass it what it needs",
		},
		{
			name: "filter", in: []string{"./filter/..."}, tests: true,
			deny: []string{"./..."}, allow: []string{"./filter/...", "./inventory"},
			fix: "filter knows the rows of a listing, nothing else: pass it what it needs",
		},
		{
			name: "s3client", in: []string{"./s3client/..."},
			deny: []string{"./..."}, allow: []string{"./s3client/...", "./internal/legible"},
			fix: "s3client speaks to S3 for every room and knows none: pass it what it needs",
		},
		{
			name: "listing", in: []string{"./listing/..."},
			deny: []string{"./..."}, allow: []string{"./listing/...", "./inventory", "./filter", "./totals", "./processor", "./sink", "./schema"},
			fix: "listing serves the processors that find objects: it knows their rows and two seams",
		},
		{
			name: "totals", in: []string{"./totals/..."},
			deny: []string{"./..."}, allow: []string{"./totals/...", "./inventory"},
			fix: "totals sums up lists of objects and knows inventory alone: pass it what it needs",
		},
		{
			name: "diff", in: []string{"./diff/..."}, outside: []string{"./diff/s3/..."},
			deny: []string{"./..."}, allow: []string{"./diff", "./inventory", "./totals"},
			fix: "diff compares totals and lists of objects, and asks nobody: what it asks S3 is diff/s3",
		},
		{
			name: "scaling", in: []string{"./scaling/..."},
			deny: []string{"./...", "github.com/aws/..."}, allow: []string{"./scaling/...", "./schema"},
			fix: "scaling is arithmetic that metricfn and plan share: pass it what it needs",
		},
		{
			name: "plan", in: []string{"./plan/..."},
			deny: []string{"./..."}, allow: []string{"./plan/...", "./scaling", "./schema", "./processor/s3crawl"},
			fix: "plan is a model: it knows scaling, and the crawl's lister to probe with",
		},
		{
			name: "webhook", in: []string{"./webhook/..."},
			deny: []string{"./..."}, allow: []string{"./webhook/...", "./schema"},
			fix: "applications import webhook: it knows schema, and nothing of the engine",
		},
		{
			name: "sqsd", in: []string{"./sqsd/..."},
			deny: []string{"./..."}, allow: []string{"./sqsd/...", "./schema", "./webhook", "./queue", "./queue/sqs"},
			fix: "sqsd passes messages on and knows no nodes: a queue, and the protocol of webhook",
		},
		{
			name: "seams", in: seams,
			deny: []string{"..."}, allow: []string{"std", "./schema"},
			fix: "a seam is a contract for any adapter: keep to the standard library and schema",
		},
		{
			name: "engine", in: engine,
			deny: slices.Concat(adapters, outer, []string{"./keyring/..."}), allow: seams,
			fix: "the engine knows seams: take the adapter as a parameter; cmd wires it",
		},
		{
			name: "adapters", in: adapters, outside: slices.Concat(seams, crawlFamily),
			deny: slices.Concat(engine, adapters, outer), allow: seams,
			fix: "an adapter knows a seam, schema and one outside library: not the engine, not another adapter",
		},
		{
			name: "crawl family", in: crawlFamily,
			deny: slices.Concat(engine, adapters, outer), allow: slices.Concat(seams, []string{"./processor/s3crawl"}),
			fix: "what works on the objects of a crawl stands on the crawl, and is an adapter otherwise",
		},
		{
			name: "aws", in: []string{"./..."}, tests: true, freeTests: []string{"./s3serve/..."},
			outside: []string{
				"./s3client/...", "./diff/s3/...", "./processor/s3crawl/...", "./processor/s3copy/...", "./queue/sqs/...", "./ledger/dynamodb/...",
				"./keyring/secretsmanager/...", "./jobqueue/sqs/...", "./internal/sqsapi/...", "./sink/s3/...", "./sink/sqs/...", "./metricfn/...", "./infra/...", "./image/...", "./cmd/...", "./app/...", "./integration/...", "./bench/...", "./proof/real/...",
			},
			deny: []string{"github.com/aws/aws-sdk-go-v2/...", "github.com/aws/smithy-go/..."},
			fix:  "only an AWS adapter, and what wires or tests it, speaks to AWS: go through a seam",
		},
		{
			name: "emulator", in: []string{"./..."}, outside: []string{"./internal/emulator/...", "./bench/..."},
			deny: []string{"./internal/emulator/..."},
			fix:  "emulators are for tests: what ships starts no server that we did not write",
		},
		{
			name: "metricfn", in: []string{"./metricfn/..."},
			deny: slices.Concat(engine, below([]string{"./queue", "./processor", "./sink"}), []string{"./ledger/embedded/...", "./ledger/none/...", "./cmd/...", "./app/...", "./console/...", "./infra/..."}),
			fix:  "metricfn looks at a fleet and starts cold every so often: it carries nothing that works on nodes",
		},
		{
			name: "lambda", in: []string{"./..."}, outside: []string{"./metricfn/lambda/..."}, tests: true,
			deny: []string{"github.com/aws/aws-lambda-go/..."},
			fix:  "one program speaks to the runtime of Lambda; the same without it is `ramify metric`",
		},
		{
			name: "cdk", in: []string{"./..."}, outside: []string{"./infra/..."}, tests: true,
			deny: []string{"github.com/aws/aws-cdk-go/...", "github.com/aws/constructs-go/...", "github.com/aws/jsii-runtime-go/..."},
			fix:  "the CDK takes minutes to build: it stays in infra",
		},
		{
			name: "sqlite", in: []string{"./..."}, outside: []string{"./internal/store/...", "./processor/sqlrows/..."}, tests: true,
			deny: []string{"modernc.org/sqlite/..."},
			fix:  "one place opens the database of a run and sets its pragmas: use internal/store; only sqlrows reads others'",
		},
		{
			name: "postgres", in: []string{"./..."}, outside: []string{"./processor/sqlrows/...", "./internal/emulator/postgres/...", "./integration/..."}, tests: true,
			deny: []string{"github.com/jackc/pgx/..."},
			fix:  "sqlrows alone speaks to PostgreSQL",
		},
		{
			name: "store", in: []string{"./..."},
			outside: []string{"./internal/store/...", "./queue/embedded/...", "./ledger/embedded/...", "./jobqueue/embedded/...", "./sink/file/...", "./cmd/...", "./app/...", "./bench/..."},
			deny:    []string{"./internal/store/..."},
			fix:     "the file of a run belongs to the embedded adapters, and to cmd, which opens it for them",
		},
		{name: "proof", in: []string{"./..."}, outside: []string{"./proof/..."}, tests: true, deny: []string{"./proof/..."}, fix: "what is proved knows nothing of the proof"},
		{
			name: "harness", in: []string{"./..."}, outside: []string{"./integration/...", "./proof/..."}, tests: true,
			deny: []string{"./integration/..."},
			fix:  "what drives the binary from outside is for end-to-end tests: a room is tested from within",
		},
		{
			name: "auditor", in: []string{"./proof/audit/...", "./proof/history/..."}, deny: slices.Concat(engine, adapters, outer), allow: seams,
			fix: "the auditor shares no code with what it judges: it knows the seams' records alone",
		},
		{
			name: "model", in: []string{"./proof/model/..."}, deny: []string{"./..."}, allow: []string{"./proof/model/..."},
			fix: "the model is a second statement of the protocol: it shares no code with the first",
		},
	}
)

// wrongImports asks for imports that point inward.
func wrongImports(tree fs.FS) ([]string, error) {
	var problems []string
	err := eachFile(tree, ".go", func(name string, data []byte) error {
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := "./" + path.Dir(name)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imported, module); ok {
				imported = "." + own
			}
			for _, r := range importRules {
				if r.denies(dir, imported, strings.HasSuffix(name, "_test.go")) {
					problems = append(problems, fmt.Sprintf("%s imports %s (rule %q): %s", name, imported, r.name, r.fix))
				}
			}
		}
		return nil
	})
	return problems, err
}

func (r importRule) denies(dir, imported string, test bool) bool {
	if test && (!r.tests || matchAny(r.freeTests, dir)) {
		return false
	}
	return matchAny(r.in, dir) && !matchAny(r.outside, dir) &&
		matchAny(r.deny, imported) && !matchAny(r.allow, imported) && adapterOf(dir) != adapterOf(imported)
}

// adapterOf returns ./room/adapter of a package in or below an adapter, and
// otherwise something that no other package shares.
func adapterOf(pkg string) string {
	if parts := strings.SplitN(pkg, "/", 4); len(parts) > 2 && matchAny(adapters, pkg) {
		return strings.Join(parts[:3], "/")
	}
	return pkg
}

func matchAny(patterns []string, pkg string) bool {
	for _, p := range patterns {
		prefix, tree := strings.CutSuffix(p, "...")
		first, _, _ := strings.Cut(pkg, "/")
		switch {
		case p == "std" && !strings.Contains(first, "."), p == pkg,
			tree && (strings.HasPrefix(pkg, prefix) || pkg+"/" == prefix):
			return true
		}
	}
	return false
}

func below(rooms []string) []string {
	var patterns []string
	for _, r := range rooms {
		patterns = append(patterns, r+"/...")
	}
	return patterns
}
