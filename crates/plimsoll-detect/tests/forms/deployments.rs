//! What files that deploy a project say of its services, and of which.

use crate::tree::found;

const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

fn manifest(port: u16) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ai\nspec:\n  template:\n    spec:\n      containers:\n        \
         - name: ai\n          image: desk/ai\n          ports:\n            - containerPort: {port}\n"
    )
}

/// What is told of a manifest at this path.
fn told(path: &str, port: u16) -> Vec<String> {
    let served = |port: u16| {
        format!(
            "{APP}if __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app, port={port})\n"
        )
    };
    let detection = found(&[
        (
            "salon_desk/ai-service/requirements.txt",
            "fastapi\nuvicorn\n",
        ),
        ("salon_desk/ai-service/main.py", &served(8086)),
        ("quiz/services/ai/requirements.txt", "fastapi\nuvicorn\n"),
        ("quiz/services/ai/main.py", &served(8100)),
        ("afterhours/README.md", "elsewhere\n"),
        (path, &manifest(port)),
    ]);
    let problems = detection.problems.iter();
    problems
        .filter(|problem| problem.path.to_str() == Some(path))
        .map(|problem| problem.what.clone())
        .collect()
}

#[test]
fn a_manifest_speaks_of_the_application_that_its_directory_is_named_after() {
    assert_eq!(told("deploy/deployment.yaml", 8086).len(), 1);
    assert_eq!(told("quiz/deploy/deployment.yaml", 8086).len(), 1);
    assert!(told("deploy/apps/salon-desk/deployment.yaml", 8086).is_empty());
    // One that is not here.
    assert!(told("deploy/apps/afterhours/deployment.yaml", 8086).is_empty());
}

#[test]
fn where_a_proxy_finds_pages_is_its_own_matter() {
    let leads = |manifest: &str| {
        let detection = found(&[
            ("desk/package.json", manifest),
            ("desk/vite.config.ts", "export default {};\n"),
            ("desk/index.html", "<html></html>\n"),
            (
                "nginx/nginx.conf",
                "server {\n  location / {\n    proxy_pass http://desk:80;\n  }\n}\n",
            ),
        ]);
        let mut problems = detection.problems.iter();
        problems.any(|problem| problem.what.starts_with("leads to port 80"))
    };
    assert!(!leads(
        r#"{"name":"desk","scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#
    ));
}
