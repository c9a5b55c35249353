//! Calls that listen for connections, and numbers that are handed to what may.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::function::{Function, PortHint, Rank};
use super::package::{is_text, port_of, span, text};
use crate::syntax::Source;

/// What gin and beego listen on unless they are told.
const USUAL: u16 = 8080;

/// The same for hertz.
const USUAL_OF_HERTZ: u16 = 8888;

/// Whether a call makes or starts the server of a framework whose settings say where it listens.
fn of_framework(name: &str, method: &str, imports: &dyn Fn(&str) -> bool) -> bool {
    let of_zero = matches!(name, "rest" | "zrpc") && imports("github.com/zeromicro/go-zero");
    of_zero && matches!(method, "MustNewServer" | "NewServer")
        || method == "Spin" && imports("github.com/cloudwego/hertz")
}

/// Notes a call that listens, or that hands a number on.
pub(super) fn call(
    source: &Source,
    node: Node<'_>,
    arguments: &[Node<'_>],
    function: &mut Function,
) {
    let Some(called) = node.child_by_field_name("function") else {
        return;
    };
    let name = source.text_of(called);
    let method = name.rsplit('.').next().unwrap_or(name);
    let texts: Vec<String> = arguments
        .iter()
        .filter(|argument| is_text(**argument))
        .map(|argument| text(source, *argument))
        .collect();
    let addresses: BTreeSet<u16> = texts
        .iter()
        .filter(|text| text.contains(':') && !text.contains("//"))
        .filter_map(|text| port_of(text))
        .collect();
    // Whoever lets the system choose a port is asked by a program that it tells, such as a browser.
    let any_port = match name {
        "net.Listen" => texts.iter().any(|text| text.ends_with(":0")),
        "http.Serve" => listens_on_any(source, node),
        _ => false,
    };
    if any_port {
        return;
    }
    let imports = |mark: &str| source.text.contains(&format!("\"{mark}"));
    let gin = method == "Run" && imports("github.com/gin-gonic/gin");
    let beego = matches!(name, "beego.Run" | "web.Run")
        && (imports("github.com/beego/beego") || imports("github.com/astaxie/beego"));
    let object = name.split('.').next().unwrap_or(name);
    let framework = of_framework(object, method, &imports);
    // `Run` and `Start` are names of much else; an address tells.
    let certain = method.starts_with("ListenAndServe")
        || matches!(name, "net.Listen" | "http.Serve")
        || gin && (!addresses.is_empty() || arguments.len() <= 1)
        || beego
        || method == "Listen" && imports("github.com/gofiber/fiber")
        || method == "Start" && imports("github.com/labstack/echo") && arguments.len() == 1
        || framework
        || !addresses.is_empty() && matches!(method, "Listen" | "Start" | "Serve" | "StartTLS");
    if !certain {
        let numbers = arguments.iter().filter_map(|argument| {
            let number = source.text_of(*argument).parse::<u16>().ok()?;
            (number >= 80).then_some(number)
        });
        let handed = numbers.chain(addresses);
        let handed = handed.map(|number| (method.to_owned(), number));
        function.handed.extend(handed);
        return;
    }
    function.listens_aside |= is_aside(node);
    function.listens.push(span(source, node));
    let hint = |rank, port| PortHint {
        rank,
        port,
        metrics: false,
    };
    // `server.Run()` may be anything's, and then that one says where it listens.
    if (gin || beego) && arguments.is_empty() {
        function.ports.push(hint(Rank::Usual, USUAL));
    }
    if framework && method == "Spin" {
        function.ports.push(hint(Rank::Usual, USUAL_OF_HERTZ));
    }
    let formatted = texts.iter().any(|text| text.contains('%'));
    let stated = addresses.into_iter().filter(|_| !formatted);
    function
        .ports
        .extend(stated.map(|port| hint(Rank::Listens, port)));
}

/// Whether the function around a call listens where the system chooses.
fn listens_on_any(source: &Source, call: Node<'_>) -> bool {
    let mut around = std::iter::successors(call.parent(), |node| node.parent());
    let function =
        around.find(|node| matches!(node.kind(), "function_declaration" | "method_declaration"));
    function.is_some_and(|function| {
        let text = source.text_of(function);
        text.contains("net.Listen(") && text.contains(":0\"")
    })
}

/// Whether a call stands in what goes on beside the function around it.
fn is_aside(call: Node<'_>) -> bool {
    let mut around = std::iter::successors(call.parent(), |node| node.parent());
    around.any(|node| node.kind() == "go_statement")
}
