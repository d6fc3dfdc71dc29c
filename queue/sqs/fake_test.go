package sqs_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// fake answers as SQS does where no emulator would: with errors, late, or not at
// all. A test sets what it says to an action.
type fake struct {
	URL string

	mu      sync.Mutex
	asked   map[string][]map[string]any
	actions map[string]func(w http.ResponseWriter, in map[string]any)
}

func newFake(t testing.TB) *fake {
	f := &fake{asked: map[string][]map[string]any{}, actions: map[string]func(http.ResponseWriter, map[string]any){}}
	f.on("GetQueueAttributes", func(w http.ResponseWriter, _ map[string]any) {
		answer(w, map[string]any{"Attributes": map[string]string{"MaximumMessageSize": "1048576"}})
	})
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.URL = s.URL
	return f
}

// config is one without credentials of a person, for one attempt or several.
func (f *fake) config() aws.Config { return config(f.URL) }

func (f *fake) on(action string, do func(w http.ResponseWriter, in map[string]any)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions[action] = do
}

// requests is what was asked of an action.
func (f *fake) requests(action string) []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[action]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := r.Header.Get("X-Amz-Target")[len("AmazonSQS."):]
	var in map[string]any
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &in)
	f.mu.Lock()
	f.asked[action] = append(f.asked[action], in)
	do := f.actions[action]
	f.mu.Unlock()
	if do == nil {
		fails(http.StatusBadRequest, "InvalidAction", "not prepared: "+action)(w, in)
		return
	}
	do(w, in)
}

func answer(w http.ResponseWriter, out any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out)
}

// fails answers with an error of the whole request.
func fails(status int, code, message string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + code, "message": message})
	}
}

// dropped ends the connection without an answer.
func dropped(http.ResponseWriter, map[string]any) { panic(http.ErrAbortHandler) }

// results answers each entry of a batch by its id: nil is success, otherwise the
// code and message of its failure.
func results(each func(id string) (code, message string)) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, in map[string]any) {
		var ok, failed []map[string]any
		for _, e := range in["Entries"].([]any) {
			id := e.(map[string]any)["Id"].(string)
			if code, message := each(id); code != "" {
				failed = append(failed, map[string]any{"Id": id, "Code": code, "Message": message, "SenderFault": true})
			} else {
				ok = append(ok, map[string]any{"Id": id})
			}
		}
		answer(w, map[string]any{"Successful": ok, "Failed": failed})
	}
}
