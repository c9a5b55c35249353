//! What name servers answer.

use std::net::Ipv4Addr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use plimsoll_run::network::Egress;

use crate::Case;
use crate::client::{ask, ask_by_tcp, long_question, question, resolve, summary};
use crate::world::outside;
use crate::world::{Container, Project, attach_request};

pub fn cases() -> Vec<Case> {
    vec![
        ("names: services, aliases, several containers, types", known),
        ("names: addresses have names", reverse),
        ("names: foreign ones leave an open network only", foreign),
        ("names: long answers are cut, and whole over TCP", long),
        ("names: they move at once", moving),
        ("names: nobody but containers is answered", strangers),
    ]
}

fn known() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let mut api = Vec::new();
    for id in ["api-1", "api-2"] {
        let mut request = attach_request(id, &["front"]);
        request.networks[0].names = vec!["api".into(), "Core.Internal".into(), id.into()];
        api.push(Container::new(project.keeper.attach(&request).unwrap()));
    }
    let both = [api[0].address(), api[1].address()];
    web.run(|| {
        let server = web.resolver();
        let one = resolve(server, "api");
        let two = resolve(server, "API");
        let orders = [
            format!("NoError {} {}", both[0], both[1]),
            format!("NoError {} {}", both[1], both[0]),
        ];
        assert!(
            orders.contains(&one) && orders.contains(&two) && one != two,
            "{one}, {two}"
        );
        assert_eq!(resolve(server, "api-2"), format!("NoError {}", both[1]));
        assert!(resolve(server, "core.internal").starts_with("NoError 1"));
        assert!(resolve(server, "api.front").starts_with("NoError 1"));
        assert_eq!(resolve(server, "redis"), "NXDomain");
        for kind in [RecordType::AAAA, RecordType::MX, RecordType::HTTPS] {
            let reply = ask(server, &question("api", kind));
            assert_eq!(summary(&reply), "NoError", "{kind}");
        }
        assert_eq!(
            summary(&ask(server, &question("redis", RecordType::AAAA))),
            "NXDomain"
        );
    });
}

fn reverse() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let api = project.attach("api", &["front"]);
    let arpa = |address: Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        format!("{d}.{c}.{b}.{a}.in-addr.arpa")
    };
    web.run(|| {
        let known = question(&arpa(api.address()), RecordType::PTR);
        assert_eq!(summary(&ask(web.resolver(), &known)), "NoError api.front.");
        let unknown = question("77.0.89.10.in-addr.arpa", RecordType::PTR);
        assert_eq!(summary(&ask(web.resolver(), &unknown)), "NXDomain");
    });
}

fn foreign() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    project.network("back", Egress::None);
    let web = project.attach("web", &["front"]);
    let api = project.attach("api", &["back", "front"]);
    let db = project.attach("db", &["back"]);
    let expected = format!("NoError {}", outside::EXAMPLE);
    assert_eq!(web.run(|| resolve(web.resolver(), "example.org")), expected);
    assert_eq!(api.run(|| resolve(api.resolver(), "example.org")), expected);
    assert_eq!(db.run(|| resolve(db.resolver(), "example.org")), "NXDomain");
    web.run(|| {
        assert_eq!(resolve(web.resolver(), "nowhere.example.org"), "NXDomain");
        assert_eq!(resolve(web.resolver(), "short"), "NXDomain");
    });
}

fn long() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    for index in 0..100 {
        let mut request = attach_request(&format!("many-{index}"), &["front"]);
        request.networks[0].names = vec!["many".into()];
        project.keeper.attach(&request).unwrap();
    }
    web.run(|| {
        let server = web.resolver();
        let plain = ask(server, &question("many", RecordType::A));
        assert!(plain.metadata.truncation && plain.answers.is_empty());
        let extended = ask(server, &long_question("many", RecordType::A));
        assert!(extended.metadata.truncation && extended.edns.is_some());
        let whole = ask_by_tcp(server, &question("many", RecordType::A));
        assert_eq!(whole.answers.len(), 100);
        assert!(!whole.metadata.truncation);

        let foreign = question("long.example.org", RecordType::TXT);
        assert!(ask(server, &foreign).metadata.truncation);
        assert_eq!(ask_by_tcp(server, &foreign).answers.len(), 20);
    });
}

fn moving() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let blue = project.attach("blue", &["front"]);
    let green = project.attach("green", &["front"]);
    let look = || web.run(|| resolve(web.resolver(), "app"));
    assert_eq!(look(), "NXDomain");
    let names = ["app".to_owned()];
    project.keeper.set_names("blue", "front", &names).unwrap();
    assert_eq!(look(), format!("NoError {}", blue.address()));
    project.keeper.set_names("green", "front", &names).unwrap();
    project.keeper.set_names("blue", "front", &[]).unwrap();
    assert_eq!(look(), format!("NoError {}", green.address()));
    project.keeper.detach("green").unwrap();
    assert_eq!(look(), "NXDomain");
}

fn strangers() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let gone = project.attach("gone", &["front"]);
    web.run(|| {
        let mut odd = question("web", RecordType::A);
        odd.queries.clear();
        let reply = ask(web.resolver(), &odd);
        assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
        let mut newer = long_question("web", RecordType::A);
        newer.edns.as_mut().unwrap().set_version(1);
        let reply = ask(web.resolver(), &newer);
        // Of the two names of code 16 the decoder picks the other.
        assert_eq!(
            u16::from(reply.metadata.response_code),
            u16::from(ResponseCode::BADVERS)
        );
    });
    drop(gone);
}
