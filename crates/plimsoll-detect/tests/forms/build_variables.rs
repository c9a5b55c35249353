//! What the builds of pages and servers see of the variables of their project.

use crate::tree::found;

#[test]
fn builds_see_what_the_variable_file_says() {
    let manifest = r#"{"name":"web","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15.0.0","react":"19.0.0"}}"#;
    let page = "export const a = process.env.NEXT_PUBLIC_SITE + process.env.COOKIE_NAME + process.env.SESSION_SECRET + process.env.PORT;\n";
    let detection = found(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("next.config.js", "module.exports = {};\n"),
        ("app/page.js", page),
    ]);
    let directory = std::path::Path::new("/web");
    let (mut project, _) = detection.into_project("web", directory, &|_| String::new());
    plimsoll_detect::fill_from_file(&mut project, &|name| {
        let value = match name {
            "NEXT_PUBLIC_SITE" => "http://localhost:3000",
            "COOKIE_NAME" => "session",
            "SESSION_SECRET" => "hidden",
            "PORT" => "1",
            _ => return None,
        };
        Some(plimsoll_diag::Spanned::unplaced(value.to_owned()))
    });
    let recipe = project.services["web"].recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::NodeServer(server) = &recipe.kind else {
        panic!("{recipe:?}");
    };
    let mut seen = server.build_environment.clone();
    seen.sort();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        seen,
        [
            pair("COOKIE_NAME", "session"),
            pair("NEXT_PUBLIC_SITE", "http://localhost:3000")
        ]
    );
}
