//! What package managers and scripts print, and what of it is worth telling.

/// What a manager misses in a lock file that does not fit its `package.json`; `None` when that is
/// not what is wrong.
pub(super) fn missing_from_lock(output: &[String]) -> Option<String> {
    let others = [
        "ERR_PNPM_OUTDATED_LOCKFILE",
        "YN0028",
        "lockfile had changes",
        "Your lockfile needs to be updated",
    ];
    if let Some(line) = output
        .iter()
        .find(|line| others.iter().any(|sign| line.contains(sign)))
    {
        return Some(line.trim().to_string());
    }
    output.iter().find(|line| line.contains("are in sync"))?;
    let missing: Vec<&str> = output
        .iter()
        .filter_map(|line| line.strip_prefix("npm error "))
        .filter(|line| line.starts_with("Missing: ") || line.starts_with("Invalid: "))
        .collect();
    Some(match missing.as_slice() {
        [] => "it does not say where".to_string(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
    })
}

/// What npm misses where packages ask for others in versions that do not go together; `None` when that is not what
/// is wrong.
pub(super) fn unmet_peer(output: &[String]) -> Option<String> {
    output.iter().find(|line| line.ends_with("code ERESOLVE"))?;
    let peers = output
        .iter()
        .map(|line| line.trim_start_matches("npm error").trim());
    let after = peers.skip_while(|line| !line.starts_with("Could not resolve dependency"));
    let told = after.skip(1).find(|line| line.contains(" from "));
    Some(told.map_or_else(
        || "npm does not say which".to_string(),
        |line| line.to_string(),
    ))
}

/// What npm says before it explains how it is used.
pub(super) fn without_usage(lines: Vec<String>) -> Vec<String> {
    let told = |line: &String| {
        !["npm error Clean install a project", "npm error Usage:"].contains(&line.as_str())
    };
    lines.into_iter().take_while(told).collect()
}

/// The last lines that a tool printed, the errors after the rest.
pub(crate) fn last_lines(stdout: &[u8], stderr: &[u8]) -> Vec<String> {
    const MOST: usize = 120;
    let read = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(|line| line.trim_end().to_string())
            .filter(|line| !matches!(line.as_str(), "" | "npm error") && !is_noise(line))
            .collect::<Vec<_>>()
    };
    let mut lines = read(stdout);
    lines.extend(read(stderr));
    lines.split_off(lines.len().saturating_sub(MOST))
}

/// Lines that say nothing about the failure.
fn is_noise(line: &str) -> bool {
    let noise = [
        "npm notice",
        "npm warn",
        "npm error For a full report",
        "npm error A complete log of this run",
        "npm error     /tmp/",
        "npm error     /plimsoll/",
        // pnpm draws how far it is, line after line where there is no terminal.
        "Progress: ",
        "Packages: ",
        "Scope: ",
        "++",
        "Lockfile is up to date",
    ];
    noise.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_does_not_fit_is_named() {
        let output: Vec<String> = [
            "npm error code ERESOLVE",
            "npm error ERESOLVE unable to resolve dependency tree",
            "npm error Found: zod@3.24.4",
            "npm error   zod@\"3.24.4\" from the root project",
            "npm error Could not resolve dependency:",
            "npm error peer zod@\"^3.25.76 || ^4.0.0\" from tide@1.1.3",
        ]
        .map(str::to_string)
        .to_vec();
        assert_eq!(
            unmet_peer(&output).as_deref(),
            Some("peer zod@\"^3.25.76 || ^4.0.0\" from tide@1.1.3")
        );
        assert_eq!(unmet_peer(&["npm error code E404".to_string()]), None);
    }

    #[test]
    fn a_lock_that_lags_behind_is_told_from_other_failures() {
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let output = lines(
            "npm error code EUSAGE\nnpm error `npm ci` can only install packages when your \
             package.json and package-lock.json are in sync.\nnpm error Missing: tmp@0.2.7 from \
             lock file",
        );
        assert_eq!(
            missing_from_lock(&output).as_deref(),
            Some("Missing: tmp@0.2.7 from lock file")
        );
        assert_eq!(missing_from_lock(&lines("npm error code E404")), None);
    }

    #[test]
    fn a_tools_last_lines_are_told_without_its_noise() {
        let lines = last_lines(
            b"> build\n\nsrc/a.ts(1,1): error TS1\n",
            b"npm notice new version\nnpm error code 2\n",
        );
        assert_eq!(
            lines,
            ["> build", "src/a.ts(1,1): error TS1", "npm error code 2"]
        );
        let lines = last_lines(
            b"Scope: all 7 workspace projects\nPackages: +600\n++++++\nProgress: resolved 600, reused 0\n \
              ERR_PNPM_FETCH_404  not found\n",
            b"",
        );
        assert_eq!(lines, [" ERR_PNPM_FETCH_404  not found"]);
    }
}
