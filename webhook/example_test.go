package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// An application that makes thumbnails: one kind of nodes, one periodic task. Its key
// is the fleet's own (keyring.Open reads it from RAMIFY_SIGNING_KEY).
func ExampleHandler() {
	keys, err := schema.NewKeyring(schema.Key{ID: "k1", Secret: []byte(strings.Repeat("secret", 6))})
	if err != nil {
		panic(err)
	}
	h, err := webhook.NewHandler(webhook.HandlerOptions{
		Keys: keys,
		Kinds: map[string]webhook.NodeFunc{
			"thumbnails": func(_ context.Context, n *webhook.Node) (*webhook.Answer, error) {
				if n.ID == "album" {
					return &webhook.Answer{Children: []webhook.Child{{ID: "album/1.jpg"}, {ID: "album/2.jpg"}}}, nil
				}
				return nil, webhook.GiveUp(errors.New("it is no picture"))
			},
		},
		Tasks: map[string]webhook.TaskFunc{
			"tidy": func(context.Context, webhook.Task) error { return nil },
		},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(h) // in an application: http.Handle("/jobs/", h)
	defer server.Close()

	at, err := webhook.ParseURL(server.URL + "/jobs")
	if err != nil {
		panic(err)
	}
	client := webhook.NewClient(webhook.Options{URL: at, Keys: keys})
	defer client.Close()
	for _, w := range []webhook.Work{
		{Body: []byte(`{"v": 1, "kind": "thumbnails", "id": "album"}`)},
		{Body: []byte(`{"v": 1, "kind": "thumbnails", "id": "album/1.jpg"}`)},
		{Body: []byte(`{"v": 1, "kind": "movies", "id": "m"}`)},
		{Path: "/periodic_tasks", Task: "tidy"},
	} {
		answer, err := client.Post(context.Background(), &w)
		var status *webhook.StatusError
		switch {
		case errors.As(err, &status):
			_, why, _ := strings.Cut(status.Reason, "answers ")
			fmt.Println(why)
		default:
			fmt.Println(len(answer.Children), "children", err)
		}
	}
	// Output:
	// 2 children <nil>
	// 500 Internal Server Error: it is no picture
	// 404 Not Found: kind "movies" is not known
	// 0 children <nil>
}
