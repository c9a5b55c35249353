//! From a clone to a running stack.

use super::guide::{Guide, fence};
use super::row;

pub(super) fn page(guide: &Guide<'_>) -> String {
    let mut page = format!(
        "# Quick start\n\n{} has {}:\n\n",
        guide.name(),
        match guide.all.len() {
            1 => "one service".to_owned(),
            count => format!("{count} services"),
        }
    );
    page.push_str(&row(&["service", "does", "answers at", "waits for"]));
    page.push_str("|---|---|---|---|\n");
    let addresses = guide.addresses();
    for one in &guide.all {
        let address = addresses
            .iter()
            .find(|(name, _)| *name == one.name())
            .map_or("–", |(_, address)| address.as_str());
        let waits: Vec<&str> = one.service.depends_on.keys().map(String::as_str).collect();
        let waits = match waits.is_empty() {
            true => "–".to_owned(),
            false => waits.join(", "),
        };
        page.push_str(&row(&[
            &format!("`{}`", one.name()),
            one.role.word(),
            address,
            &waits,
        ]));
    }
    page.push_str("\n## Without Docker\n\n");
    page.push_str(&fence(&["plimsoll up"]));
    page.push_str("\nIt builds what is missing, starts the stack in order, and tells when everything is healthy. Ctrl-C stops it.\n");
    page.push_str("\n## With Docker\n\n");
    page.push_str(&guide.settings());
    page.push_str(&format!(
        "\n{}",
        fence(&[format!(
            "{} up --build --detach --wait",
            guide.command(&["dev"])
        )])
    ));
    if !addresses.is_empty() {
        page.push_str("\nThen:\n\n");
        let asks: Vec<String> = guide
            .all
            .iter()
            .filter_map(|one| {
                let (_, address) = addresses.iter().find(|(name, _)| *name == one.name())?;
                let path = match one.probe.as_ref().map(|probe| &probe.test) {
                    Some(crate::ProbeTest::Http { path, .. }) => path.as_str(),
                    _ => "/",
                };
                Some(format!("curl --fail {address}{path}"))
            })
            .collect();
        page.push_str(&fence(&asks));
    }
    for one in guide.stdio() {
        page.push_str(&format!(
            "\n`{0}` speaks to one client over standard input and output. A client starts it so:\n\n{1}",
            one.name(),
            fence(&[format!("{} run --rm --no-TTY {}", guide.command(&["prod"]), one.name())])
        ));
    }
    page.push_str(&format!(
        "\nStop it; with `--volumes`, its data goes too:\n\n{}",
        fence(&[format!("{} down", guide.command(&["dev"]))])
    ));
    page
}
