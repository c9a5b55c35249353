//! What happens to a commit.

use super::guide::{Guide, fence};

pub(super) fn page(guide: &Guide<'_>) -> String {
    let registry = guide.input.registry.map_or_else(
        || "the registry of packages that belongs to the repository".to_owned(),
        |registry| format!("`{registry}`"),
    );
    let mut page = format!(
        "# CI/CD\n\nThe workflows are in `.github/workflows` (`plimsoll render ci`). They build the images for both processors, test, \
         scan, publish to {registry}, sign, and deploy: to staging by themselves, to production when a person promotes.\n"
    );
    page.push_str("\n## The same steps by hand\n\n");
    if guide.compose.contains("compose.test.yaml") {
        page.push_str(&fence(&[format!(
            "{} up --build --abort-on-container-exit --exit-code-from test",
            guide.command(&["test"])
        )]));
        page.push('\n');
    }
    let builds: Vec<String> = guide
        .dockerfiles
        .iter()
        .map(|(service, path)| format!("docker build -f {path} -t {}-{service} .", guide.name()))
        .collect();
    if !builds.is_empty() {
        page.push_str(&fence(&builds));
        page.push('\n');
    }
    page.push_str("## Rendered files stay current\n\nA pipeline that runs this fails when somebody changed the project and not its files:\n\n");
    page.push_str(&fence(&["plimsoll render all --check"]));
    page.push_str("\nTags: a release `1.2.3` is published as `1.2.3` and `1.2`, a branch under its name, a pull request as `pr-N`. \
        Production names a release, never `latest`.\n");
    page
}
