//! The door of production: a Caddyfile with the routes of the stack.
//!
//! Certificates come from an authority for a public name, and from Caddy's own for `localhost`.
//! Streams are passed on as they come and may stay open; only silence ends a connection.

use crate::addresses::{Addresses, Encryption};
use crate::{Fidelity, Loss, Role, Workload};

use super::document::literal;
use super::stack::Stack;

/// The proxy's image.
pub(super) const IMAGE: &str = "caddy:2.10-alpine";

/// The port on which it says that it works, inside its container alone.
pub(super) const HEALTH: u16 = 8081;

/// The text of the Caddyfile.
pub(super) fn caddyfile(stack: &Stack<'_>, losses: &mut Vec<Loss>) -> String {
    let mut text = crate::header::header(stack.input, "compose");
    text.push_str(
        "{\n\tadmin off\n\tservers {\n\t\ttimeouts {\n\t\t\tread_header 10s\n\t\t\tidle 5m\n\t\t}\n\t}\n}\n",
    );
    text.push_str(
        "\n(headers) {\n\theader {\n\t\tStrict-Transport-Security \"max-age=31536000\"\n\
         \t\tX-Content-Type-Options nosniff\n\t\tReferrer-Policy strict-origin-when-cross-origin\n\
         \t\t-Server\n\t}\n\tencode zstd gzip\n\tlog {\n\t\toutput stdout\n\t\tformat json\n\t}\n}\n",
    );
    let routed = stack.routed();
    let home = home(&routed);
    let mut sites: Vec<(Vec<String>, Vec<&Workload<'_>>)> = Vec::new();
    for one in routed {
        if protocol(one) == Some("tcp") {
            losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{}.x-plimsoll.route", one.name()),
                    "the proxy passes on HTTP only",
                )
                .at(one.service.span.clone())
                .hint("publish its port in a file of your own"),
            );
            continue;
        }
        let addresses = addresses(one, home == Some(one.name()));
        match sites.iter_mut().find(|(known, _)| *known == addresses) {
            Some((_, services)) => services.push(one),
            None => sites.push((addresses, vec![one])),
        }
    }
    for (addresses, mut services) in sites {
        // The longest path is asked first.
        services.sort_by_key(|one| std::cmp::Reverse(path(one).map_or(0, str::len)));
        text.push_str(&format!(
            "\n{} {{\n\timport headers\n",
            addresses.join(", ")
        ));
        for one in services {
            pass(&mut text, one);
        }
        text.push_str("}\n");
    }
    text.push_str(&format!(
        "\nhttp://127.0.0.1:{HEALTH} {{\n\tbind 127.0.0.1\n\trespond 200\n}}\n"
    ));
    text
}

/// The service that answers at the domain itself: a proxy of the project's own, the pages, else what asks others of the routed and
/// is asked by none of them, else the first.
fn home<'a>(routed: &[&Workload<'a>]) -> Option<&'a str> {
    let without_host = || routed.iter().filter(|one| hosts(one).is_empty());
    let asks = |one: &Workload<'_>, other: &Workload<'_>| {
        one.service.depends_on.contains_key(other.name())
    };
    without_host()
        .find(|one| one.is_door())
        .or_else(|| without_host().find(|one| one.role == Role::Ui))
        .or_else(|| {
            without_host().find(|one| {
                let mut others = routed.iter();
                routed.iter().any(|other| asks(one, other)) && !others.any(|it| asks(it, one))
            })
        })
        .or_else(|| without_host().next())
        .map(|one| one.name())
}

/// Services with a name of their own below the domain.
pub(super) fn names_below_domain(stack: &Stack<'_>) -> Vec<String> {
    let routed = stack.routed();
    let home = home(&routed);
    routed
        .iter()
        .filter(|one| protocol(one) != Some("tcp"))
        .filter(|one| {
            let is_home = home == Some(one.name());
            hosts(one).is_empty() && path(one).is_none() && !is_home
        })
        .map(|one| one.name().to_owned())
        .collect()
}

/// Where people find the services behind the proxy, in the words of a Compose file.
pub(super) fn found_at(stack: &Stack<'_>) -> Addresses {
    let mut found = Addresses::new(literal);
    let routed = stack.routed();
    let home = home(&routed);
    for one in routed {
        if protocol(one) == Some("tcp") {
            continue;
        }
        let Some(address) = addresses(one, home == Some(one.name())).into_iter().next() else {
            continue;
        };
        let (address, encryption) = match address.strip_prefix("http://") {
            Some(address) => (address.to_owned(), Encryption::Plain),
            None => (address, Encryption::Tls),
        };
        let host = address.replace("{$DOMAIN:localhost}", "${DOMAIN:-localhost}");
        let port = match encryption {
            Encryption::Tls => "${HTTPS_PORT:+:${HTTPS_PORT}}",
            Encryption::Plain => "${HTTP_PORT:+:${HTTP_PORT}}",
        };
        found.add(one, &format!("{host}{port}"), encryption);
    }
    found
}

fn route<'w>(one: &'w Workload<'_>) -> Option<&'w plimsoll_model::extension::Route> {
    Some(&one.extension?.route.as_ref()?.value)
}

fn hosts<'w>(one: &'w Workload<'_>) -> &'w [String] {
    route(one).map_or(&[], |route| route.hosts.as_slice())
}

fn path<'w>(one: &'w Workload<'_>) -> Option<&'w str> {
    route(one)?
        .path
        .as_deref()
        .map(|path| path.trim_end_matches('/'))
        .filter(|path| !path.is_empty())
}

fn protocol<'w>(one: &'w Workload<'_>) -> Option<&'w str> {
    route(one)?.protocol.as_deref()
}

fn addresses(one: &Workload<'_>, is_home: bool) -> Vec<String> {
    let scheme = match route(one).and_then(|route| route.tls) {
        Some(false) => "http://",
        _ => "",
    };
    if !hosts(one).is_empty() {
        return hosts(one)
            .iter()
            .map(|host| format!("{scheme}{host}"))
            .collect();
    }
    // A path without a host is a part of the domain's own site.
    match is_home || path(one).is_some() {
        true => vec![format!("{scheme}{{$DOMAIN:localhost}}")],
        false => vec![format!("{scheme}{}.{{$DOMAIN:localhost}}", one.name())],
    }
}

fn pass(text: &mut String, one: &Workload<'_>) {
    let Some(listener) = one.main() else {
        return;
    };
    let port = route(one)
        .and_then(|route| route.port)
        .unwrap_or(listener.port);
    let upstream = match protocol(one) {
        Some("grpc") => format!("h2c://{}:{port}", one.name()),
        _ => format!("{}:{port}", one.name()),
    };
    let matcher = path(one).map_or_else(String::new, |path| format!("{path}* "));
    text.push_str(&format!(
        "\thandle {matcher}{{\n\t\treverse_proxy {upstream} {{\n"
    ));
    // Without a buffer, each event of a stream goes out when it comes in.
    text.push_str("\t\t\tflush_interval -1\n");
    if let Some(longest) = route(one).and_then(|route| route.max_stream) {
        text.push_str(&format!(
            "\t\t\tstream_close_delay {}s\n",
            longest.as_secs()
        ));
    }
    if route(one).and_then(|route| route.sticky.as_deref()) == Some("cookie") {
        text.push_str("\t\t\tlb_policy cookie\n");
    }
    text.push_str("\t\t\ttransport http {\n\t\t\t\tdial_timeout 5s\n\t\t\t}\n\t\t}\n\t}\n");
}
