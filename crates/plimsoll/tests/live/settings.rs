//! `plimsoll.toml`: what it says is done.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::compose_keys::SERVER;
use crate::stage::{Stage, output};

/// A server that has nothing, and remembers what it was asked for.
struct Empty {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Empty {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = Vec::new();
                let mut chunk = [0; 1024];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    match stream.read(&mut chunk) {
                        Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                if let Some(path) = request.split(' ').nth(1) {
                    remembered.lock().unwrap().push(path.to_owned());
                }
                let _ = stream.write_all(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn mirrors_are_asked_and_the_store_is_where_the_file_says() {
    let Some(stage) = Stage::empty("settled") else {
        return;
    };
    let server = Empty::start();
    let port = server.port;
    stage.write(
        "plimsoll.toml",
        &format!(
            r#"
[debian]
mirror = "http://127.0.0.1:{port}/debian"
security-mirror = "http://127.0.0.1:{port}/debian-security"

[registries."images.invalid"]
mirror = "http://127.0.0.1:{port}"

[store]
path = "kept/store"
"#
        ),
    );
    stage.write("web/main.py", SERVER);
    stage.write("web/requirements.txt", "");
    stage.write(
        "compose.yaml",
        "services:\n  web:\n    build: ./web\n    command: python main.py\n  other:\n    image: images.invalid/team/other:1\n",
    );
    let directory = |name: &str| stage.project().join(name);
    // What other tests fetched before would answer instead of the mirror.
    let build = |service: &str| {
        let mut command = stage.command(&["build", service]);
        let built = output(command.env("PLIMSOLL_DATA", directory("data")));
        assert_eq!(built.status.code(), Some(1), "{built:?}");
        String::from_utf8_lossy(&built.stderr).into_owned()
    };
    build("other");
    assert_eq!(server.asked(), ["/v2/team/other/manifests/1"]);
    let said = build("web");
    assert!(
        said.contains(&format!("`http://127.0.0.1:{port}/debian/dists/")),
        "{said}"
    );
    assert!(directory("kept/store/blobs").is_dir());
    assert!(!directory("data/store").exists());
}
