//! From a query to its answer, without any socket.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::network::directory::{Directory, ListedContainer, NameAnswer};

/// Answers change as soon as containers do; nobody should keep one.
const TIME_TO_LIVE: u32 = 1;

/// What fits through any network without fragments.
const OWN_PAYLOAD: u16 = 1232;

/// What becomes of a query.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Send this back.
    Reply(Box<Message>),
    /// Pass the query on to these servers; `None`: to the host's resolvers.
    Forward(Box<Message>, Option<Vec<IpAddr>>),
    /// Not a query: say nothing.
    Ignore,
}

/// Decides about the bytes that came from `source` on `network`. `rotation` moves on with every
/// query, so that several addresses under one name take turns.
pub(crate) fn decide(
    directory: &Directory,
    network: &str,
    source: Ipv4Addr,
    bytes: &[u8],
    rotation: usize,
) -> Decision {
    let query = match Message::from_vec(bytes) {
        Ok(query) => query,
        Err(_) => return malformed(bytes),
    };
    if query.metadata.message_type != MessageType::Query {
        return Decision::Ignore;
    }
    if query.metadata.op_code != OpCode::Query {
        return Decision::Reply(refusal(&query, ResponseCode::NotImp));
    }
    if query.version() > 0 {
        return Decision::Reply(refusal(&query, ResponseCode::BADVERS));
    }
    let [question] = query.queries.as_slice() else {
        return Decision::Reply(refusal(&query, ResponseCode::FormErr));
    };
    let Some(asker) = directory.container_at(network, source) else {
        return Decision::Reply(refusal(&query, ResponseCode::Refused));
    };
    if !matches!(question.query_class(), DNSClass::IN | DNSClass::ANY) {
        return Decision::Reply(refusal(&query, ResponseCode::Refused));
    }
    match look_up(directory, asker, question) {
        Found::Records(mut records) => {
            let turns = rotation.checked_rem(records.len()).unwrap_or(0);
            records.rotate_left(turns);
            let mut reply = refusal(&query, ResponseCode::NoError);
            reply.metadata.authoritative = true;
            reply.add_answers(records);
            Decision::Reply(reply)
        }
        Found::Nowhere => Decision::Reply(refusal(&query, ResponseCode::NXDomain)),
        Found::Elsewhere => Decision::Forward(Box::new(query), directory.name_servers_of(asker)),
    }
}

/// The bytes of a reply; one that is longer than `limit` is replaced by the request to ask by TCP.
pub(crate) fn encode(reply: &Message, limit: usize) -> Option<Vec<u8>> {
    let bytes = reply.to_vec().ok()?;
    if bytes.len() <= limit {
        return Some(bytes);
    }
    reply.truncate().to_vec().ok()
}

/// How long a reply over UDP may be.
pub(crate) fn datagram_limit(query_payload: u16) -> usize {
    usize::from(query_payload.clamp(512, OWN_PAYLOAD))
}

/// A reply without records.
pub(crate) fn refusal(query: &Message, code: ResponseCode) -> Box<Message> {
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    reply.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(OWN_PAYLOAD);
        edns.set_rcode_high(code.high());
        reply.set_edns(edns);
    }
    Box::new(reply)
}

fn malformed(bytes: &[u8]) -> Decision {
    match bytes {
        // An identifier and the bit that says "query": enough to say that the rest is bad.
        [high, low, flags, ..] if bytes.len() >= 12 && flags & 0x80 == 0 => {
            let id = u16::from_be_bytes([*high, *low]);
            Decision::Reply(Box::new(Message::error_msg(
                id,
                OpCode::Query,
                ResponseCode::FormErr,
            )))
        }
        _ => Decision::Ignore,
    }
}

enum Found {
    Records(Vec<Record>),
    Nowhere,
    Elsewhere,
}

fn look_up(directory: &Directory, asker: &ListedContainer, question: &Query) -> Found {
    let text = question.name().to_lowercase().to_ascii();
    let text = text.trim_end_matches('.');
    if let Some(address) = reverse_address(question.name()) {
        return match directory.reverse(asker, address) {
            Some(name) => Found::Records(pointer(question, &name).into_iter().collect()),
            None if directory.is_ours(address) || !directory.may_ask(asker) => Found::Nowhere,
            None => Found::Elsewhere,
        };
    }
    match directory.resolve(asker, text) {
        NameAnswer::Known(addresses) => Found::Records(match question.query_type() {
            RecordType::A | RecordType::ANY => addresses
                .into_iter()
                .map(|address| record(question, RData::A(A(address))))
                .collect(),
            // The name exists, without a record of that type.
            _ => Vec::new(),
        }),
        NameAnswer::Nowhere => Found::Nowhere,
        NameAnswer::Elsewhere => Found::Elsewhere,
    }
}

fn reverse_address(name: &Name) -> Option<Ipv4Addr> {
    let net = name.parse_arpa_name().ok()?;
    match net.addr() {
        IpAddr::V4(address) if net.prefix_len() == 32 => Some(address),
        _ => None,
    }
}

fn pointer(question: &Query, name: &str) -> Option<Record> {
    let target = Name::from_ascii(format!("{name}.")).ok()?;
    matches!(question.query_type(), RecordType::PTR | RecordType::ANY)
        .then(|| record(question, RData::PTR(PTR(target))))
}

fn record(question: &Query, data: RData) -> Record {
    Record::from_rdata(question.name().clone(), TIME_TO_LIVE, data)
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::*;
    use crate::network::directory::{ListedNetwork, Membership};
    use crate::network::protocol::{Egress, HostGateway};

    const WEB: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 2);
    const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 9);

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.add_network(ListedNetwork {
            name: "front".into(),
            egress: Egress::Open,
            subnet: Ipv4Net::new_assert(Ipv4Addr::new(10, 89, 0, 0), 24),
            host_gateway: Ipv4Addr::new(10, 89, 0, 254),
        });
        for last in 2..5 {
            directory.add_container(ListedContainer {
                container: format!("web-{last}"),
                hostname: format!("web-{last}"),
                host_gateway: HostGateway::Refused,
                name_servers: Vec::new(),
                memberships: vec![Membership {
                    network: "front".into(),
                    address: Ipv4Addr::new(10, 89, 0, last),
                    names: vec!["web".into()],
                }],
            });
        }
        directory
    }

    fn query(name: &str, kind: RecordType) -> Message {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message
    }

    fn reply(source: Ipv4Addr, query: &Message, rotation: usize) -> Message {
        match decide(
            &directory(),
            "front",
            source,
            &query.to_vec().unwrap(),
            rotation,
        ) {
            Decision::Reply(reply) => Message::from_vec(&reply.to_vec().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_take_turns() {
        let firsts: Vec<RData> = (0..4)
            .map(|turn| {
                let reply = reply(WEB, &query("Web.", RecordType::A), turn);
                assert_eq!(reply.answers.len(), 3);
                reply.answers[0].data.clone()
            })
            .collect();
        assert_eq!(firsts[0], firsts[3]);
        assert!(firsts[0] != firsts[1] && firsts[1] != firsts[2]);
    }

    #[test]
    fn strangers_and_odd_queries_are_refused() {
        let code = |source, query: &Message| reply(source, query, 0).metadata.response_code;
        let plain = query("web.", RecordType::A);
        assert_eq!(code(STRANGER, &plain), ResponseCode::Refused);
        let mut chaos = plain.clone();
        chaos.queries[0].set_query_class(DNSClass::CH);
        assert_eq!(code(WEB, &chaos), ResponseCode::Refused);
        let mut update = plain.clone();
        update.metadata.op_code = OpCode::Update;
        assert_eq!(code(WEB, &update), ResponseCode::NotImp);
        let mut answer = plain;
        answer.metadata.message_type = MessageType::Response;
        let bytes = answer.to_vec().unwrap();
        assert!(matches!(
            decide(&directory(), "front", WEB, &bytes, 0),
            Decision::Ignore
        ));
    }

    #[test]
    fn long_replies_are_cut_to_the_question() {
        let long = reply(WEB, &query("web.", RecordType::A), 0);
        let whole = encode(&long, 512).unwrap();
        let cut = Message::from_vec(&encode(&long, whole.len() - 1).unwrap()).unwrap();
        assert!(cut.metadata.truncation && cut.answers.is_empty() && cut.queries.len() == 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Decision::Reply(reply) = decide(&directory(), "front", WEB, &bytes, 0) {
                prop_assert_eq!(reply.metadata.id.to_be_bytes(), [bytes[0], bytes[1]]);
                prop_assert!(encode(&reply, 512).is_some());
            }
        }

        #[test]
        fn damaged_queries_are_survived(place in 0_usize..40, value: u8) {
            let mut bytes = query("web.front.", RecordType::A).to_vec().unwrap();
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
            decide(&directory(), "front", WEB, &bytes, 0);
        }
    }
}
