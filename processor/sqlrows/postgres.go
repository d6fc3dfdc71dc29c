package sqlrows

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// server is a connection to PostgreSQL. All values travel as text, so that no more
// than the protocol is needed of pgx, which is most of its size.
type server struct {
	conn  *pgconn.PgConn
	names map[string]string // of prepared statements, by their text
}

// The types of values that JSON has, or that would not be read as they are meant.
// Source: PostgreSQL, src/include/catalog/pg_type.dat.
const (
	typeBool        = 16
	typeBytes       = 17
	typeInt8        = 20
	typeInt2        = 21
	typeInt4        = 23
	typeOID         = 26
	typeJSON        = 114
	typeFloat4      = 700
	typeFloat8      = 701
	typeTimestamp   = 1114
	typeTimestampTZ = 1184
	typeJSONB       = 3802
)

// postgresServer makes connections to the server of a DSN, and says its passwords,
// the longest first: one may be a part of another.
func postgresServer(dsn string) (dial func(context.Context) (client, error), hush []string, err error) {
	hush, known := secrets(dsn)
	if !known || !IsDSN(dsn) {
		return nil, nil, errDSN
	}
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, nil, errDSN // it has the DSN in it
	}
	if cfg.Password != "" { // of the environment, or a file
		hush = append(hush, cfg.Password)
	}
	slices.SortFunc(hush, func(a, b string) int { return len(b) - len(a) })
	for name, value := range map[string]string{"application_name": "ramify", "DateStyle": "ISO", "TimeZone": "UTC"} {
		if cfg.RuntimeParams[name] == "" {
			cfg.RuntimeParams[name] = value
		}
	}
	return func(ctx context.Context) (client, error) {
		conn, err := pgconn.ConnectConfig(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return &server{conn, map[string]string{}}, nil
	}, hush, nil
}

func (s *server) lost() bool { return s.conn.IsClosed() }

func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
}

func (s *server) query(ctx context.Context, text string, params []Value) ([][]any, error) {
	texts := make([][]byte, len(params))
	for i, p := range params {
		texts[i] = []byte(p.text)
	}
	name, prepared := s.names[text]
	if !prepared {
		if len(s.names) >= maxTrees {
			return convert(s.conn.ExecParams(ctx, text, texts, nil, nil, nil).Read())
		}
		name = "ramify" + strconv.Itoa(len(s.names))
		if _, err := s.conn.Prepare(ctx, name, text, nil); err != nil {
			return nil, err
		}
		s.names[text] = name
	}
	return convert(s.conn.ExecPrepared(ctx, name, texts, nil, nil).Read())
}

func convert(r *pgconn.Result) ([][]any, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	all := make([][]any, len(r.Rows))
	for i, row := range r.Rows {
		all[i] = make([]any, len(row))
		for j, text := range row {
			if text != nil {
				all[i][j] = value(r.FieldDescriptions[j].DataTypeOID, string(text))
			}
		}
	}
	return all, nil
}

// value is what a text of a type stands for; what is not as it should be stays a text.
func value(oid uint32, text string) any {
	switch oid {
	case typeBool:
		return text == "t"
	case typeInt2, typeInt4, typeInt8, typeOID:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case typeFloat4, typeFloat8:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case typeJSON, typeJSONB:
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case typeBytes:
		if b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil && strings.HasPrefix(text, `\x`) {
			return b
		}
	case typeTimestampTZ:
		if t, err := time.Parse("2006-01-02 15:04:05.999999-07", text); err == nil {
			return t
		}
	case typeTimestamp:
		return strings.Replace(text, " ", "T", 1)
	}
	return text
}
