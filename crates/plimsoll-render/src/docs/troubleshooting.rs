//! When it does not work.

use plimsoll_model::RecipeKind;

use super::guide::{Guide, fence};

pub(super) fn page(guide: &Guide<'_>) -> String {
    let dev = guide.command(&["dev"]);
    let prod = guide.command(&["prod"]);
    let one = guide.example();
    let mut page = format!(
        "# Troubleshooting\n\nWhat runs, what is unhealthy, and why:\n\n{}",
        fence(&[
            format!("{dev} ps --all"),
            format!("{dev} logs --tail 100 {one}"),
            format!(
                "docker inspect --format '{{{{json .State.Health}}}}' {}-{one}-1",
                guide.name()
            ),
        ])
    );
    for variable in &guide.required {
        page.push_str(&format!(
            "\n## `required variable {variable} is missing a value`\n\nIt is not in `.env` nor in the environment:\n\n{}",
            fence(&[format!("grep {variable} .env")])
        ));
    }
    let addresses = guide.addresses();
    if let Some((name, address)) = addresses.first() {
        let port = address.rsplit(':').next().unwrap_or_default();
        page.push_str(&format!(
            "\n## `port is already allocated`\n\nAnother program has a port that a service publishes ({}). Who, for `{name}`:\n\n{}",
            addresses
                .iter()
                .map(|(name, address)| format!("`{name}`: {}", address.rsplit(':').next().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join(", "),
            fence(&[format!("ss --listening --tcp --numeric --processes 'sport = :{port}'")])
        ));
    }
    if let Some(store) = guide.stores().next() {
        page.push_str(&format!(
            "\n## `{0}` refuses the password\n\nA store keeps the password of its first start. Give it the old one again, or begin with an empty \
             volume, which deletes its data:\n\n{1}",
            store.name(),
            fence(&[format!("{dev} down --volumes")])
        ));
    }
    let kinds: Vec<&RecipeKind> = guide
        .built()
        .filter_map(|one| Some(&one.service.recipe.as_ref()?.kind))
        .collect();
    page.push_str(&format!(
        "\n## `Read-only file system`\n\nIn production a service writes to `/tmp` and its volumes only. Which path it was is in its log; give it a volume, or \
         memory (`tmpfs`), in `{0}`:\n\n{1}",
        guide.base,
        fence(&[format!("{prod} logs --tail 100 {one}")])
    ));
    page.push_str(&format!(
        "\n## It ends with 137\n\nIt took more memory than its limit. See what it takes, and raise `deploy.resources.limits.memory` in `{}`:\n\n{}",
        guide.base,
        fence(&["docker stats --no-stream".to_owned()])
    ));
    if kinds
        .iter()
        .any(|kind| matches!(kind, RecipeKind::Python(_)))
    {
        page.push_str(
            "\n## `Failed to build` a Python package\n\nIt has no wheel for the image's Python, and needs a library to compile. Name a Python that it has wheels for \
             (`requires-python`, `.python-version`), or the Debian package with the library under `x-plimsoll`, and render again.\n",
        );
    }
    if kinds
        .iter()
        .any(|kind| matches!(kind, RecipeKind::StaticSite(_)))
    {
        page.push_str(
            "\n## Pages call the wrong address\n\nThe bundler wrote it into them: set the variable when the image is built, as an argument of the build \
             ([environment.md](environment.md) has its name), and build again.\n",
        );
    }
    page.push_str(&format!(
        "\n## Nothing of this\n\nBegin again from nothing, without caches:\n\n{}",
        fence(&[
            format!("{dev} down --volumes --remove-orphans"),
            format!("{dev} build --no-cache"),
            format!("{dev} up --detach --wait"),
        ])
    ));
    page
}
