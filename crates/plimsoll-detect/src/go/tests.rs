//! Whole small trees, read as a project would be.

use std::fmt::Write as _;

use crate::detection::{Detection, Health, ServiceKind};
use crate::tree::Tree;

fn detect(files: &[(&str, &str)]) -> Detection {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    crate::detect(&Tree::read(root.path()).unwrap())
}

/// One line for a service, one for each variable, one for each rejection.
fn shown(detection: &Detection) -> String {
    let mut text = String::new();
    for service in &detection.services {
        let health = match &service.health {
            Some(Health::Http(route)) => format!("GET {}:{}", route.port, route.path),
            Some(Health::Tcp { port }) => format!("TCP {port}"),
            _ => "none".to_owned(),
        };
        let metrics = service.metrics.as_ref().map_or(String::new(), |route| {
            format!(" metrics {}:{}", route.port, route.path)
        });
        writeln!(
            text,
            "{} {} {} {:?} {health}{metrics} {}",
            service.name,
            service.kind.word(),
            service.framework.as_deref().unwrap_or_default(),
            service.ports,
            service.command.join(" "),
        )
        .unwrap();
    }
    for variable in &detection.environment {
        writeln!(
            text,
            "${} required={} default={:?}",
            variable.name, variable.required, variable.default
        )
        .unwrap();
    }
    for rejected in &detection.rejected {
        writeln!(
            text,
            "not {} ({}): {}",
            rejected.path.display(),
            rejected.looks_like,
            rejected.why
        )
        .unwrap();
    }
    text
}

const GIN: &str = r#"package main

import (
	"log"
	"os"

	"example.com/shop/internal/routes"
	"github.com/gin-gonic/gin"
)

func main() {
	key := os.Getenv("API_KEY")
	if key == "" {
		log.Fatal("API_KEY is missing")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "9090"
	}
	r := gin.Default()
	routes.Register(r, key)
	r.Run(":" + port)
}
"#;

const ROUTES: &str = r#"package routes

import "github.com/gin-gonic/gin"

func Register(r *gin.Engine, key string) {
	api := r.Group("/api")
	v1 := api.Group("/v1")
	v1.GET("/metrics", list)
	api.GET("/health", health)
	r.Static("/static", "./static")
}

func Unused() { os.Getenv("NEVER") }
"#;

#[test]
fn a_server_with_groups_of_routes_and_variables_that_it_must_have() {
    let detection = detect(&[
        (
            "go.mod",
            "module example.com/shop\n\ngo 1.24\n\nrequire github.com/gin-gonic/gin v1.10.0\n",
        ),
        ("cmd/shop/main.go", GIN),
        ("internal/routes/routes.go", ROUTES),
        ("static/app.css", "x"),
        (
            "cmd/import/main.go",
            "package main\n\nfunc main() { println(1) }\n",
        ),
        (
            "tools/gen/main.go",
            "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\":1\", nil) }\n",
        ),
        ("cmd/shop/main_test.go", "package main\n\nfunc TestX() {}\n"),
    ]);
    insta::assert_snapshot!(shown(&detection), @r#"
    shop web gin [9090] GET 9090:/api/health /usr/local/bin/shop
    $API_KEY required=true default=None
    $PORT required=false default=Some("9090")
    not cmd/import/main.go (Go program): listens on nothing
    not tools/gen/main.go (Go server): a tool of the project
    "#);
    let recipe = detection.service("shop").unwrap().recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::Go(go) = &recipe.kind else {
        panic!("it is a program of Go");
    };
    assert_eq!(go.package, "./cmd/shop");
    assert!(!go.cgo);
    assert_eq!(go.data, [std::path::PathBuf::from("static")]);
}

const TWO_PORTS: &str = r#"package main

import (
	"flag"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type Dashboard struct{ port int }

func (d *Dashboard) Start() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", nil)
	return http.ListenAndServe(fmt.Sprintf(":%d", d.port), mux)
}

func startMetrics(port int) {
	http.Handle("/metrics", promhttp.Handler())
	http.ListenAndServe(fmt.Sprintf(":%d", port), nil)
}

func main() {
	verbose := flag.Bool("verbose", false, "")
	go startMetrics(9101)
	d := &Dashboard{port: 9100}
	config := Config{WebPort: 9100}
	d.Start()
}
"#;

#[test]
fn metrics_have_a_port_of_their_own() {
    let detection = detect(&[
        ("go.mod", "module example.com/board\n\ngo 1.22\n"),
        ("main.go", TWO_PORTS),
    ]);
    insta::assert_snapshot!(shown(&detection), @"board web net/http [9100, 9101] GET 9100:/healthz metrics 9101:/metrics /usr/local/bin/board");
}

const MCP: &str = r#"package main

import (
	"github.com/mark3labs/mcp-go/server"
	_ "github.com/mattn/go-sqlite3"
)

func main() {
	s := server.NewMCPServer("notes", "1.0")
	db, _ := sql.Open("sqlite3", "notes.db")
	server.ServeStdio(s)
}
"#;

#[test]
fn a_server_of_the_model_context_protocol_over_standard_input() {
    let detection = detect(&[
        ("go.mod", "module example.com/notes\n\ngo 1.24\n"),
        ("main.go", MCP),
    ]);
    let service = &detection.services[0];
    assert_eq!(service.kind, ServiceKind::McpStdio);
    assert_eq!(service.writes, ["notes.db"]);
    assert!(service.ports.is_empty());
    let recipe = service.recipe.as_ref().unwrap();
    assert!(
        matches!(&recipe.kind, plimsoll_model::RecipeKind::Go(go) if go.cgo && go.package == ".")
    );
}

const COBRA: &str = r#"package main

import "github.com/spf13/cobra"

var root = &cobra.Command{Use: "agent"}
var serve = &cobra.Command{Use: "serve [flags]", RunE: run}

type settings struct {
	Port string `env:"PORT" envDefault:"7070"`
	Database string `env:"DATABASE_URL,required"`
}

func run(cmd *cobra.Command, args []string) error {
	return http.ListenAndServe(":"+config.Port, nil)
}

func main() { root.Execute() }
"#;

#[test]
fn a_subcommand_serves_and_a_workspace_is_the_context() {
    let detection = detect(&[
        ("go.work", "go 1.24\n\nuse (\n\t./agent\n\t./shared\n)\n"),
        ("shared/go.mod", "module example.com/shared\n\ngo 1.24\n"),
        ("shared/shared.go", "package shared\n"),
        (
            "agent/go.mod",
            "module example.com/agent\n\ngo 1.24\n\ntoolchain go1.24.3\n",
        ),
        ("agent/main.go", COBRA),
        (
            "agent/Dockerfile",
            "FROM golang:1.24 AS b\nRUN go build -o /agent .\nFROM scratch\nCOPY --from=b /agent /agent\nENTRYPOINT [\"/agent\"]\n",
        ),
    ]);
    insta::assert_snapshot!(shown(&detection), @r#"
    agent web net/http [7070] TCP 7070 /usr/local/bin/agent serve
    $DATABASE_URL required=true default=None
    $PORT required=false default=Some("7070")
    "#);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::Go(go) = &recipe.kind else {
        panic!("it is a program of Go");
    };
    assert_eq!(go.root, std::path::Path::new("agent"));
    assert_eq!(go.version.as_ref().unwrap().as_str(), "1.24.3");
    assert!(!recipe.context.ends_with("agent"));
}

#[test]
fn a_module_of_a_workspace_is_a_part_of_it_wherever_it_lies() {
    const SERVER: &str = "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n";
    let beside = |workspace| {
        let detection = detect(&[
            ("go.work", workspace),
            (
                "tools/gateway/go.mod",
                "module example.com/gateway\n\ngo 1.24\n",
            ),
            ("tools/gateway/cmd/server/main.go", SERVER),
            ("tools/gateway/hack/main.go", SERVER),
            ("tools/go.mod", "module example.com/tools\n\ngo 1.24\n"),
            ("tools/seed/main.go", SERVER),
        ]);
        shown(&detection)
    };
    insta::assert_snapshot!(beside("go 1.24\n\nuse ./tools/gateway\nuse ./tools\n"), @r#"
    gateway web net/http [8080] TCP 8080 /usr/local/bin/server
    not tools/gateway/hack/main.go (Go server): a tool of the project
    not tools/seed/main.go (Go server): a tool of the project
    "#);
    insta::assert_snapshot!(beside("go 1.24\n\nuse ./other\n"), @r#"
    not tools/gateway/cmd/server/main.go (Go server): a tool of the project
    not tools/gateway/hack/main.go (Go server): a tool of the project
    not tools/seed/main.go (Go server): a tool of the project
    "#);
}

#[test]
fn what_only_one_provider_insists_on_is_not_required() {
    let main = r#"
        package main
        import ("errors"; "log"; "net/http"; "os"; corev1 "k8s.io/api/core/v1")
        func main() {
            secret := os.Getenv("APP_SECRET")
            if secret == "" { log.Fatal("no secret") }
            switch os.Getenv("PROVIDER") {
            case "ebb": newEbb()
            case "flow": newFlow()
            }
            health := &http.Server{Addr: ":8101"}
            go health.ListenAndServe()
            http.ListenAndServe(":8100", nil)
        }
        func newEbb() error {
            key := os.Getenv("EBB_KEY")
            if key == "" { return errors.New("no key") }
            return nil
        }
        func newFlow() error {
            if os.Getenv("FLOW") != "" {
                key := os.Getenv("FLOW_KEY")
                if key == "" { log.Fatal("no key") }
            }
            return nil
        }
        func pod() corev1.HTTPGetAction { return corev1.HTTPGetAction{Port: 8199} }
    "#;
    let detection = detect(&[("go.mod", "module tide\n\ngo 1.24\n"), ("main.go", main)]);
    insta::assert_snapshot!(shown(&detection), @"
    tide web net/http [8100, 8101] TCP 8100 /usr/local/bin/tide
    $APP_SECRET required=true default=None
    $EBB_KEY required=false default=None
    $FLOW required=false default=None
    $FLOW_KEY required=false default=None
    $PROVIDER required=false default=None
    ");
}
