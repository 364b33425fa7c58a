// An OpenID provider of the Go module github.com/zitadel/oidc (Apache-2.0): the framework, with its example storage and
// pages. `provider PORT USERS_FILE`; lines on standard input are clients in JSON: {"id", "secret", "redirects"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

type client struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret"`
	Public    bool     `json:"public"`
	Redirects []string `json:"redirects"`
}

func register(asked client) {
	if asked.Public {
		storage.RegisterClients(storage.NativeClient(asked.ID, asked.Redirects...))
	} else {
		storage.RegisterClients(storage.WebClient(asked.ID, asked.Secret, asked.Redirects...))
	}
}

func main() {
	port, users := os.Args[1], os.Args[2]
	store, err := storage.StoreFromFile(users)
	if err != nil {
		panic(err)
	}
	issuer := fmt.Sprintf("http://127.0.0.1:%s/", port)
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			var asked client
			if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
				panic(err)
			}
			register(asked)
			fmt.Println("registered", asked.ID)
		}
		os.Exit(0)
	}()
	panic(http.Serve(listener, exampleop.SetupServer(issuer, storage.NewStorage(store), logger, false)))
}
