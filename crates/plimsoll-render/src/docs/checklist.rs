//! Before and after a release.

use super::guide::Guide;

pub(super) fn page(guide: &Guide<'_>) -> String {
    let prod = guide.command(&["prod"]);
    let mut before = vec![
        "`plimsoll render all --check` says that the rendered files are up to date".to_owned(),
        format!("`{prod} config --quiet` says nothing"),
    ];
    if guide.compose.contains("compose.test.yaml") {
        before.push("the tests in `compose.test.yaml` pass".to_owned());
    }
    for name in &guide.required {
        before.push(format!(
            "`{name}` is set where it runs, to a value that no other environment has"
        ));
    }
    let secrets: Vec<String> = guide
        .input
        .project
        .variables
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| format!("`{}`", variable.name))
        .collect();
    if !secrets.is_empty() {
        before.push(format!(
            "{} come from the store of secrets, and stand in no file that is committed",
            secrets.join(", ")
        ));
    }
    before.push(
        "`VERSION` names a release, not `latest`, and its images are scanned and signed".to_owned(),
    );
    let stores: Vec<String> = guide
        .stores()
        .map(|one| format!("`{}`", one.name()))
        .collect();
    if !stores.is_empty() {
        before.push(format!(
            "{} {} backed up, and a backup was restored once to see that it can be",
            stores.join(", "),
            if stores.len() == 1 { "is" } else { "are" }
        ));
    }
    if guide.compose.contains("proxy/Caddyfile") {
        before.push(
            "`DOMAIN` leads to the host, and ports 80 and 443 are open; no other port is"
                .to_owned(),
        );
    }
    let mut after = vec![format!("`{prod} ps` shows every service healthy")];
    for one in &guide.all {
        if let Some(crate::ProbeTest::Http { path, .. }) =
            one.probe.as_ref().map(|probe| &probe.test)
            && one.main().is_some_and(|main| !main.published.is_empty())
        {
            after.push(format!(
                "`{}` answers `{path}` through the door that people use",
                one.name()
            ));
        }
    }
    if guide.compose.contains("compose.monitoring.yaml") {
        after.push("Prometheus reaches every target, and the alert `Watchdog` arrives where people read it".to_owned());
    }
    after.push("the release before is known, and going back to it was tried in staging".to_owned());
    let mut page = String::from("# Deployment checklist\n\n## Before\n\n");
    for item in before {
        page.push_str(&format!("- [ ] {item}\n"));
    }
    page.push_str("\n## After\n\n");
    for item in after {
        page.push_str(&format!("- [ ] {item}\n"));
    }
    page
}
