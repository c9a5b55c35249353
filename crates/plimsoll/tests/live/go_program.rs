//! A program of Go, from its sources to an answer.

use crate::stage::{Stage, get};

const MAIN: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "18473"
	}
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "well")
	})
	http.HandleFunc("GET /greeting", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from Go")
	})
	http.ListenAndServe(":"+port, nil)
}
"#;

#[test]
fn a_program_without_any_other_file_is_built_served_and_removed() {
    let Some(stage) = Stage::empty("go-greeter") else {
        return;
    };
    stage.write("go.mod", "module example.com/greeter\n\ngo 1.24\n");
    stage.write("main.go", MAIN);
    let ran = stage.run(&["build"]);
    if ran.stderr.contains("Go module proxy") {
        eprintln!("skipped: nothing says where Go modules come from");
        return;
    }
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    stage.succeed(&["up", "--detach"]);
    let answer = get(18473, "/greeting").unwrap();
    assert_eq!((answer.0, answer.1.trim_end()), (200, "hello from Go"));
    stage.down_to_nothing();
}
