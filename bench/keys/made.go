package keys

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	flatKeys    = 500_000
	chainKeys   = 200_000
	awkwardKeys = 60_000
	seed        = 20261122
)

// made are the lists that come out of a random generator with a fixed seed.
var made = []List{
	{Name: "hex", About: "500,000 keys in one prefix: hashes in hex", keys: hex},
	{Name: "words", About: "500,000 keys in one prefix: words of nine scripts, some far more often than others", keys: words},
	{Name: "time", About: "500,000 keys in one prefix: timestamps that follow each other", keys: timestamps},
	{Name: "chain", About: "a chain of prefixes 300 deep, 200,000 keys at one level", keys: chain},
	{Name: "awkward", About: "60,000 keys of awkward characters", keys: awkward},
}

func hex(yield func(string) bool) error {
	r := rand.New(rand.NewPCG(seed, 1))
	for range flatKeys {
		if !yield(fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())) {
			break
		}
	}
	return nil
}

// timestamps are what a busy service leaves: milliseconds apart, with quiet
// hours between.
func timestamps(yield func(string) bool) error {
	r := rand.New(rand.NewPCG(seed, 2))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range flatKeys {
		at = at.Add(time.Duration(1+r.IntN(2000)) * time.Millisecond)
		if i%40_000 == 0 {
			at = at.Add(8 * time.Hour)
		}
		if !yield(at.Format("2006-01-02T15:04:05.000Z") + ".json") {
			break
		}
	}
	return nil
}

// vocabulary has syllables of nine scripts, of one to four bytes a character.
var vocabulary = []string{
	"in", "re", "con", "ta", "mo", "ber", "st", "li", "ex", "port", "data", "log", "img", "report",
	"é", "ü", "ñ", "ß", "да", "но", "при", "ст", "ова", "λο", "γι", "κα", "שלום", "מי", "مل", "ال", "كت",
	"का", "री", "अनु", "データ", "の", "記", "报", "告", "数据", "한", "국", "보고", "𐀀", "𐀡", "😀",
}

// words are skewed like those of a language: a few thousand words by Zipf's law,
// one to three a key.
func words(yield func(string) bool) error {
	r := rand.New(rand.NewPCG(seed, 3))
	lexicon := make([]string, 5000)
	syllables := rand.NewZipf(r, 1.3, 4, uint64(len(vocabulary)-1))
	for i := range lexicon {
		for range 1 + r.IntN(4) {
			lexicon[i] += vocabulary[syllables.Uint64()]
		}
	}
	pick := rand.NewZipf(r, 1.2, 3, uint64(len(lexicon)-1))
	seen := make(map[string]bool, flatKeys)
	for len(seen) < flatKeys {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = lexicon[pick.Uint64()]
		}
		key := fmt.Sprintf("%s %d", strings.Join(parts, "_"), r.IntN(10_000))
		if seen[key] {
			continue
		}
		seen[key] = true
		if !yield(key) {
			break
		}
	}
	return nil
}

// chain has one key at each level but level 200, which has all the others.
func chain(yield func(string) bool) error {
	const depth, wide = 300, 200
	prefix := ""
	for level := range depth {
		prefix += string(rune('a'+level%26)) + "/"
		n := 1
		if level == wide {
			n = chainKeys
		}
		for i := range n {
			if !yield(fmt.Sprintf("%sobject-%06d.bin", prefix, i)) {
				return nil
			}
		}
	}
	return nil
}

// parts of awkward keys: what XML, URLs, paths, shells and line-wise tools treat
// in ways of their own, and the edges of UTF-8.
var parts = []string{
	" ", "+", "%", "%2F", "&", "&amp;", "<", ">", "\"", "'", "\\", "\\n", "#", "?", "=", ";", ",", "*", "|", "~", "$",
	"/", "//", "/../", "/./", ".", "..", "\n", "\r", "\t", "\x01", "\x1f", "\x7f", "\u0085", "\u00a0", "\u2028", "\ufeff",
	"\ufffd", "\ufffe", "\uffff", "\ud7ff", "\ue000", "\U00010000", "\U0010ffff", "é", "e\u0301", "ß", "я", "中", "\u202e", "😀", "a", "Z", "0", "9",
}

func awkward(yield func(string) bool) error {
	r := rand.New(rand.NewPCG(seed, 4))
	seen := make(map[string]bool, awkwardKeys)
	for len(seen) < awkwardKeys {
		n := 1 + r.IntN(12)
		if r.IntN(50) == 0 {
			n = 300 // near the longest that a key may be
		}
		key := ""
		for range n {
			key += parts[r.IntN(len(parts))]
		}
		for len(key) > 1024 {
			_, size := utf8.DecodeLastRuneInString(key)
			key = key[:len(key)-size]
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if !yield(key) {
			break
		}
	}
	return nil
}
