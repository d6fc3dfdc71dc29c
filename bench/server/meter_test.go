package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/bench/figures"
	"github.com/ramify/ramify/bench/keys"
)

func ask(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func counts(t *testing.T, h http.Handler, path string) (c figures.Counts) {
	t.Helper()
	require.NoError(t, json.Unmarshal(ask(t, h, path).Body.Bytes(), &c))
	return c
}

func TestListsAreCountedAndDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		require.Zero(t, counts(t, m, "/-/reset?latency=30ms").Lists)
		began := time.Now()
		for _, path := range []string{"/bench?list-type=2", "/bench/?prefix=a%2Fb", "/bench", "/bench?location", "/bench/key", "/"} {
			ask(t, m, path)
		}
		require.Equal(t, 6*30*time.Millisecond, time.Since(began))
		c := counts(t, m, "/-/counts")
		require.Equal(t, figures.Counts{Lists: 3, Others: 3, Peak: 1}, figures.Counts{Lists: c.Lists, Others: c.Others, Peak: c.Peak})
		require.Zero(t, counts(t, m, "/-/reset?latency=0").Lists)
		began = time.Now()
		ask(t, m, "/bench?list-type=2")
		require.Zero(t, time.Since(began))
	})
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	m := newMeter(http.NotFoundHandler())
	require.Equal(t, http.StatusBadRequest, ask(t, m, "/-/reset?latency=soon").Code)
	require.Equal(t, http.StatusNotFound, ask(t, m, "/-/other").Code)
}

func TestBothServersServeTheList(t *testing.T) {
	list, err := keys.Find("sample", "")
	require.NoError(t, err)
	for name, load := range map[string]func(*keys.List) (http.Handler, error){"ours": ours, "theirs": theirs} {
		h, err := load(list)
		require.NoError(t, err)
		w := ask(t, h, "/"+bucket+"?list-type=2&start-after=usr&max-keys=2")
		require.Equal(t, http.StatusOK, w.Code, name)
		require.Contains(t, w.Body.String(), "<Key>usr/", name)
		require.Contains(t, w.Body.String(), "<IsTruncated>true</IsTruncated>", name)
	}
}
