//! Rendered files, used by others: what they build of them runs.

use std::process::{Child, Command, Output};

use crate::stage::{Stage, eventually, free_port, get};

const SERVER: &str = r#"require("node:http")
  .createServer((request, response) => response.end("rendered"))
  .listen(Number(process.env.PORT || 3000));
"#;

/// Buildah with a store of its own, which ends with the stage.
struct Buildah<'s> {
    stage: &'s Stage,
}

impl Buildah<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.stage.runtime().with_file_name(name);
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(at("buildah"))
            .arg("--runroot")
            .arg(at("buildah-run"))
            .args(["--storage-driver", "overlay"])
            .args(["--registries-conf", "registries.conf"])
            .args(arguments)
            .current_dir(self.stage.project());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it said, without the line end.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Buildah<'_> {
    fn drop(&mut self) {
        // Its layers are mounted until they are removed.
        let _ = self.run(&["rm", "--all"]);
        let _ = self.run(&["rmi", "--all", "--force"]);
    }
}

/// A program that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn buildah_builds_a_rendered_dockerfile_and_its_container_answers() {
    if Command::new("buildah").arg("--version").output().is_err() {
        eprintln!("skipped: there is no buildah");
        return;
    }
    let Some(stage) = Stage::empty("rendered") else {
        return;
    };
    stage.write(
        "web/package.json",
        r#"{"name":"web","private":true,"scripts":{"start":"node server.js"}}"#,
    );
    stage.write("web/server.js", SERVER);
    stage.write(
        "compose.yaml",
        "services:\n  web:\n    build: ./web\n    ports: [\"3000:3000\"]\n",
    );
    stage.succeed(&["render", "dockerfile"]);
    let file = "docker/web.Dockerfile";
    let text = std::fs::read_to_string(stage.project().join(file)).unwrap();
    let base = text.lines().find_map(|line| line.strip_prefix("FROM "));
    let base = base.and_then(|rest| rest.split(' ').next()).unwrap();

    // The base that it names, without asking a registry.
    stage.write("base/Dockerfile", &format!("FROM {base}\n"));
    stage.write("base/compose.yaml", "services:\n  base:\n    build: .\n");
    let archive = stage.project().join("base.tar");
    let output = format!("docker:{}", archive.display());
    let built = [
        "-C",
        "base",
        "build",
        "--dockerfile",
        "--local-bases",
        "-o",
        &output,
    ];
    stage.succeed(&built);
    let (short, _) = base.split_once(':').unwrap();
    stage.write(
        "registries.conf",
        &format!("[aliases]\n\"{short}\" = \"docker.io/library/{short}\"\n"),
    );
    let buildah = Buildah { stage: &stage };
    let pulled = buildah.run(&[
        "pull",
        "-q",
        &format!("docker-archive:{}", archive.display()),
    ]);
    if !pulled.status.success() {
        eprintln!(
            "skipped: buildah keeps no images here: {}",
            String::from_utf8_lossy(&pulled.stderr)
        );
        return;
    }
    let identity = String::from_utf8_lossy(&pulled.stdout).trim().to_owned();
    buildah.succeeds(&["tag", &identity, &format!("docker.io/library/{base}")]);
    buildah.succeeds(&[
        "bud",
        "--pull-never",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--target",
        "production",
        "-f",
        file,
        "-t",
        "rendered",
        ".",
    ]);
    let format = "{{range .OCIv1.Config.Cmd}}{{.}} {{end}}";
    let image = "localhost/rendered";
    let told = buildah.succeeds(&["inspect", "--type", "image", "--format", format, image]);
    let words: Vec<&str> = told.split_whitespace().collect();
    let container = buildah.succeeds(&["from", "--pull-never", image]);
    let port = free_port();
    let variable = format!("PORT={port}");
    let mut run = vec![
        "run",
        "--isolation",
        "chroot",
        "--env",
        &variable,
        &container,
        "--",
    ];
    run.extend(&words);
    let running = Running(buildah.command(&run).spawn().unwrap());
    let (status, body) = eventually("the container", || get(port, "/"));
    assert_eq!((status, body.as_str()), (200, "rendered"));
    drop(running);
}
