package secretsmanager_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/keyring/secretsmanager"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(url string) aws.Config {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("ramify", "secret", ""),
	}
}

// Keys of a secret, made and rotated as people do, with a server that we did not
// write.
func TestKeysOutOfSecretsManager(t *testing.T) {
	cfg := config(ministack.URL(t))
	client := sdk.NewFromConfig(cfg)
	name := "ramify/" + strings.ReplaceAll(t.Name(), "/", "-")
	value := "secretsmanager:" + name
	options := keyring.Options{Secrets: secretsmanager.New(cfg)}

	_, err := keyring.Open(t.Context(), value, options)
	require.ErrorIs(t, err, keyring.ErrNoSecret)
	require.ErrorContains(t, err, "read RAMIFY_SIGNING_KEY: read secret "+name+" of us-east-1 (AWSCURRENT): no such secret: ResourceNotFoundException")
	require.ErrorContains(t, err, "or make it by `ramify setup`")

	first, second := keyring.Generate(), keyring.Generate()
	made, err := client.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: &name, SecretString: &first})
	require.NoError(t, err)
	w, err := keyring.Open(t.Context(), value, options)
	require.NoError(t, err)
	old := w.Keyring().Sign([]byte("body"))
	assert.Equal(t, strings.Split(first, ":")[0], old[schema.AttrKeyID])

	_, err = client.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: &name, SecretString: &second})
	require.NoError(t, err)
	for _, value := range []string{value, *made.ARN} {
		w, err = keyring.Open(t.Context(), value, options)
		require.NoError(t, err)
		assert.Equal(t, strings.Split(second, ":")[0], w.Keyring().Sign([]byte("body"))[schema.AttrKeyID], "AWSCURRENT signs")
		assert.NoError(t, w.Keyring().Verify([]byte("body"), old), "AWSPREVIOUS verifies")
	}
}

// An error says in one line what to do, and has no part of a secret.
func TestErrorsSayTheWayOut(t *testing.T) {
	for code, hint := range map[string]string{
		"AccessDeniedException":       "allow secretsmanager:GetSecretValue on it",
		"DecryptionFailure":           "allow kms:Decrypt",
		"InvalidRequestException":     "restore it",
		"UnrecognizedClientException": "check AWS_ACCESS_KEY_ID",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":%q,"message":"No.\n"}`, code)
		}))
		_, err := secretsmanager.New(config(s.URL)).Get(t.Context(), "name", keyring.Current)
		require.ErrorContains(t, err, "read secret name of us-east-1 (AWSCURRENT): "+code+": No; "+hint)
		require.NotErrorIs(t, err, keyring.ErrNoSecret)
		require.NotContains(t, err.Error(), "\n")
		s.Close()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"SecretBinary":"c2VjcmV0"}`)
	}))
	defer s.Close()
	_, err := secretsmanager.New(config(s.URL)).Get(t.Context(), "name", keyring.Current)
	require.ErrorContains(t, err, "it is binary: store the key as text")
}
