//! What a fetcher bears from a server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll_diag::{Progress, ProgressEvent, Silent};
use tempfile::TempDir;

use super::test_server::{Reply, TestServer};
use super::{Download, FetchError, FetchSettings, Fetcher, Headers};
use crate::Digest;

fn settings() -> FetchSettings {
    FetchSettings {
        attempts: 3,
        first_delay: Duration::from_millis(1),
        patience: Duration::from_secs(20),
        ..FetchSettings::default()
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(settings(), Arc::new(Silent)).unwrap()
}

fn content() -> Vec<u8> {
    (0..300_000_u32)
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    fn download(&self, url: String) -> Download {
        Download {
            url,
            headers: Headers::none(),
            expected: Some(Digest::of(&content())),
            size: Some(content().len() as u64),
            destination: self.path(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sub/file.deb")
    }

    fn files(&self) -> Vec<String> {
        fs_err::read_dir(self.directory.path().join("sub"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

#[test]
fn fetches_a_file_once() {
    let server = TestServer::start(|request| Reply::file(request, &content()));
    let bench = Bench::new();
    let download = bench.download(server.url("/file.deb"));
    let digest = fetcher().download("base", &download).unwrap();
    assert_eq!(digest, Digest::of(&content()));
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
    assert_eq!(bench.files(), ["file.deb"]);

    fetcher().download("base", &download).unwrap();
    assert_eq!(server.requests().len(), 1, "the file was there already");
}

#[test]
fn asks_again_after_500_and_429() {
    let server = TestServer::start(|request| match request.earlier {
        0 => Reply::new(500, "oh"),
        1 => Reply::new(429, "slow down").with("retry-after", "0"),
        _ => Reply::file(request, &content()),
    });
    let bench = Bench::new();
    fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn gives_up_on_lasting_500_and_names_the_url_without_password() {
    let server = TestServer::start(|_| Reply::new(503, "down"));
    let url = server
        .url("/a?token=hunter2")
        .replace("http://", "http://me:hunter2@");
    let error = fetcher()
        .get_bytes(&url, &Headers::none(), 100)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}?…` answered 503 (3 attempts)", server.url("/a"))
    );
    assert!(!format!("{error:?}").contains("hunter2"));
    assert_eq!(
        server.requests()[0].headers["authorization"],
        "Basic bWU6aHVudGVyMg=="
    );
}

#[test]
fn a_missing_file_is_not_asked_for_again() {
    let server = TestServer::start(|_| Reply::new(404, "no"));
    let bench = Bench::new();
    let error = fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(bench.files(), Vec::<String>::new());
}

#[test]
fn resumes_where_a_connection_was_cut() {
    let server = TestServer::start(|request| {
        let reply = Reply::file(request, &content()).with("etag", "\"one\"");
        match request.earlier {
            // More cuts than attempts: each brought something.
            0..5 => reply.cut_after(200_000),
            _ => reply,
        }
    });
    let bench = Bench::new();
    fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap();
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    assert_eq!(requests[1].headers["if-range"], "\"one\"");
    assert!(requests[5].headers.contains_key("range"));
}

#[test]
fn goes_on_from_what_an_earlier_process_got() {
    let server = TestServer::start(|request| Reply::file(request, &content()));
    let bench = Bench::new();
    let download = bench.download(server.url("/a"));
    let partial = bench.path().with_file_name("file.deb.partial");
    fs_err::create_dir_all(partial.parent().unwrap()).unwrap();
    for (got, range) in [
        (content()[..700_000].to_vec(), Some("bytes=700000-")),
        // Everything, and ended before the check.
        (content(), None),
    ] {
        fs_err::write(&partial, got).unwrap();
        fetcher().download("base", &download).unwrap();
        let requests = server.requests();
        let sent = requests
            .last()
            .and_then(|request| request.headers.get("range"));
        assert_eq!(sent.map(String::as_str), range.or(Some("bytes=700000-")));
        assert_eq!(requests.len(), 1);
        assert_eq!(bench.files(), ["file.deb"]);
        fs_err::remove_file(bench.path()).unwrap();
    }
    // What belongs to another file is found out at the end, and fetched anew.
    fs_err::write(&partial, vec![7; 500_000]).unwrap();
    fetcher().download("base", &download).unwrap();
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
}

#[test]
fn two_who_want_the_same_file_fetch_it_once() {
    let server = TestServer::start(|request| Reply::file(request, &content()));
    let bench = Bench::new();
    let download = bench.download(server.url("/a"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fetcher().download("base", &download).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
    assert_eq!(bench.files(), ["file.deb"]);
}

#[test]
fn starts_over_where_a_server_cannot_resume() {
    let server = TestServer::start(|request| match request.earlier {
        0 => Reply::new(200, content()).cut_after(500_000),
        1 => Reply::new(416, ""),
        2 => Reply::new(200, content()).cut_after(600_000),
        _ => Reply::new(200, content()),
    });
    let bench = Bench::new();
    fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap();
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
}

#[test]
fn a_body_without_length_that_ends_early_is_noticed() {
    let server = TestServer::start(|request| {
        let mut reply = Reply::file(request, &content());
        if request.earlier == 0 {
            reply.body.truncate(1000);
        }
        reply.no_length = true;
        reply
    });
    let bench = Bench::new();
    fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap();
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let server = TestServer::start(|request| {
        let mut reply = Reply::file(request, &content());
        if request.earlier == 0 {
            reply.cut_after = Some(400_000);
            reply.stall = true;
        }
        reply
    });
    let bench = Bench::new();
    let fetcher = Fetcher::new(
        FetchSettings {
            patience: Duration::from_secs(3),
            ..settings()
        },
        Arc::new(Silent),
    )
    .unwrap();
    fetcher
        .download("base", &bench.download(server.url("/a")))
        .unwrap();
    assert_eq!(fs_err::read(bench.path()).unwrap(), content());
}

#[test]
fn a_wrong_file_is_refused_and_leaves_nothing() {
    let server = TestServer::start(|_| {
        let mut wrong = content();
        wrong[77] ^= 1;
        Reply::new(200, wrong)
    });
    let bench = Bench::new();
    let error = fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert_eq!(bench.files(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_longer_than_stated_is_refused() {
    let server = TestServer::start(|_| Reply::new(200, [content(), vec![0; 9]].concat()));
    let bench = Bench::new();
    let error = fetcher()
        .download("base", &bench.download(server.url("/a")))
        .unwrap_err();
    assert!(matches!(error, FetchError::Size { .. }), "{error}");
}

#[test]
fn an_answer_in_memory_has_a_limit() {
    let server = TestServer::start(|_| Reply::new(200, vec![b'x'; 1001]));
    let url = server.url("/index");
    let error = fetcher()
        .get_bytes(&url, &Headers::none(), 1000)
        .unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: 1000, .. }));
    assert_eq!(
        fetcher()
            .get_bytes(&url, &Headers::none(), 1001)
            .unwrap()
            .len(),
        1001
    );
}

#[test]
fn other_statuses_reach_the_caller_with_their_headers() {
    let server =
        TestServer::start(|_| Reply::new(401, "who?").with("WWW-Authenticate", "Bearer realm=x"));
    let response = fetcher()
        .get(&server.url("/v2/"), &Headers::none(), 100)
        .unwrap();
    assert_eq!(response.status, 401);
    assert_eq!(response.header("www-authenticate"), Some("Bearer realm=x"));
    assert_eq!(response.body, b"who?");
}

#[test]
fn nobody_listening_is_said_clearly() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let error = fetcher().get_bytes(&url, &Headers::none(), 1).unwrap_err();
    assert!(
        matches!(error, FetchError::Connection { attempts: 3, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot reach `{url}`"))
    );
}

#[test]
fn many_files_come_at_once_and_in_order() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<(u64, Option<u64>)>>);
    impl Progress for Seen {
        fn report(&self, event: ProgressEvent) {
            if let ProgressEvent::Advanced { done, total, .. } = event {
                self.0.lock().unwrap().push((done, total));
            }
        }
    }
    let server = TestServer::start(|request| Reply::new(200, request.path.repeat(1000)));
    let directory = TempDir::new().unwrap();
    let downloads: Vec<Download> = (10..50)
        .map(|number| Download {
            url: server.url(&format!("/{number}")),
            headers: Headers::none(),
            expected: None,
            size: Some(3000),
            destination: directory.path().join(number.to_string()),
        })
        .collect();
    let seen = Arc::new(Seen::default());
    let fetcher = Fetcher::new(settings(), seen.clone()).unwrap();
    let digests = fetcher.download_all("base", &downloads).unwrap();
    let expected: Vec<Digest> = (10..50)
        .map(|number| Digest::of(format!("/{number}").repeat(1000).as_bytes()))
        .collect();
    assert_eq!(digests, expected);
    let furthest = seen.0.lock().unwrap().iter().copied().max();
    assert_eq!(furthest, Some((120_000, Some(120_000))));
}

#[test]
fn one_failure_among_many_is_the_one_reported() {
    let server = TestServer::start(|request| match request.path.as_str() {
        "/20" => Reply::new(404, ""),
        _ => Reply::new(200, "fine"),
    });
    let directory = TempDir::new().unwrap();
    let downloads: Vec<Download> = (0..40)
        .map(|number| Download {
            url: server.url(&format!("/{number}")),
            headers: Headers::none(),
            expected: None,
            size: None,
            destination: directory.path().join(number.to_string()),
        })
        .collect();
    let error = fetcher().download_all("base", &downloads).unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn a_proxy_is_used_except_where_excepted() {
    let proxy = TestServer::start(|request| Reply::new(200, format!("via proxy {}", request.path)));
    let direct = TestServer::start(|_| Reply::new(200, "direct"));
    let fetcher = Fetcher::new(
        FetchSettings {
            http_proxy: Some(plimsoll_diag::Secret::new(proxy.url(""))),
            no_proxy: Some("localhost, 127.0.0.1".to_owned()),
            ..settings()
        },
        Arc::new(Silent),
    )
    .unwrap();
    let get = |url: &str| {
        String::from_utf8(fetcher.get_bytes(url, &Headers::none(), 1000).unwrap()).unwrap()
    };
    assert_eq!(get(&direct.url("/x")), "direct");
    let through = get("http://mirror.invalid/y");
    assert_eq!(through, "via proxy /y");
    assert_eq!(proxy.requests()[0].path, "mirror.invalid:80");
}

#[test]
fn a_full_disk_is_said_clearly() {
    let server = TestServer::start(|request| Reply::file(request, &content()));
    let mut download = Bench::new().download(server.url("/a"));
    download.destination = PathBuf::from("/dev/full/file");
    let error = fetcher().download("base", &download).unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
}
