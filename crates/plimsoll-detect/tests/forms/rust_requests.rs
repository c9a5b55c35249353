//! Variables that Rust reads when it starts, and those that only a request reads.

use crate::tree::{found, required};

#[test]
fn what_a_request_reads_is_not_required() {
    let of = |main: &str| {
        let detection = found(&[
            (
                "Cargo.toml",
                "[package]\nname = \"desk\"\nversion = \"1.0.0\"\n[dependencies]\naxum = \"0.8\"\n",
            ),
            ("src/main.rs", main),
        ]);
        required(&detection).join(" ")
    };
    assert_eq!(
        of("use axum::{Router, Json, routing::{get, post}};\n\
            async fn ask(Json(body): Json<Ask>) -> String { key() }\n\
            async fn plain() -> String { std::env::var(\"PLAIN_KEY\").unwrap() }\n\
            fn key() -> String { std::env::var(\"ASK_KEY\").expect(\"key\") }\n\
            fn settings() -> String { std::env::var(\"START_KEY\").expect(\"key\") }\n\
            fn main() {\n    let settings = settings();\n    let own = std::env::var(\"MAIN_KEY\").unwrap();\n\
            \x20   let app = Router::new().route(\"/\", post(ask)).route(\"/p\", get(plain)).route(\"/c\", get(|| async { std::env::var(\"CLOSURE_KEY\").unwrap() }));\n\
            \x20   axum::serve(TcpListener::bind(\"0.0.0.0:3000\"), app);\n}\n"),
        "MAIN_KEY START_KEY"
    );
    // What both call is called when it starts.
    assert_eq!(
        of("use axum::{Router, routing::get};\n\
            async fn plain() -> String { key() }\n\
            fn key() -> String { std::env::var(\"BOTH_KEY\").expect(\"key\") }\n\
            fn main() {\n    key();\n    let app = Router::new().route(\"/p\", get(plain));\n    axum::serve(TcpListener::bind(\"0.0.0.0:3000\"), app);\n}\n"),
        "BOTH_KEY"
    );
}
