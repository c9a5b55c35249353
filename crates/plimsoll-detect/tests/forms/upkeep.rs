//! What looks like a service and keeps the repository in order.

use crate::tree::{found, lines};

#[test]
fn what_keeps_a_repository_in_order_is_no_service() {
    let clock = "import schedule, time\nschedule.every().day.do(print)\nif __name__ == '__main__':\n    while True:\n        schedule.run_pending()\n        time.sleep(1)\n";
    let server = "from flask import Flask\napp = Flask(__name__)\napp.run(port=5000)\n";
    let files = [
        ("requirements.txt", "flask\nschedule\n"),
        ("app.py", server),
        ("scripts/upkeep/clock.py", clock),
    ];
    let detection = found(&files);
    assert_eq!(detection.services.len(), 1, "{:?}", lines(&detection));
    let rejected = &detection.rejected;
    assert!(
        rejected
            .iter()
            .any(|rejected| rejected.why.starts_with("a script of the repository")),
        "{rejected:?}"
    );
    // What something starts is a service wherever it lies.
    let procfile = ("Procfile", "clock: python scripts/upkeep/clock.py\n");
    let detection = found(&[files[0], files[1], files[2], procfile]);
    assert_eq!(detection.services.len(), 2, "{:?}", lines(&detection));
}
