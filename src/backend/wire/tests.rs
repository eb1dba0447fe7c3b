//! What becomes of messages that are damaged, or made up.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A job's message, with items of all lengths.
fn jobs() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), traces(), vec(vec(any::<u8>(), 0..20), 0..20)).prop_map(|(first, trace, inputs)| {
        let mut items = Items::default();
        inputs.iter().for_each(|input| items.push(input).unwrap());
        items.job(first, trace.as_ref())
    })
}

/// The context of a trace, or none.
fn traces() -> impl Strategy<Value = Option<TraceContext>> {
    ("[0-9a-e]{2}-[0-9a-f]{31}1-[0-9a-f]{15}2-0[01]", prop_oneof!["", "a=[!-+]{0,20},b=1"])
        .prop_map(|(parent, state)| TraceContext::new(&parent, &state))
        .prop_flat_map(|trace| prop_oneof![Just(None), Just(trace)])
}

fn states() -> impl Strategy<Value = NodeState> {
    any::<(u32, u32, bool)>().prop_map(|(slots, in_flight, is_draining)| NodeState { slots, in_flight, is_draining })
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Ran),
        1 => ".{0,40}".prop_map(Verdict::Refused),
        1 => any::<u64>().prop_map(|deliveries| Verdict::Poison { deliveries }),
        1 => any::<(u64, u64)>().prop_map(|(bytes, most)| Verdict::TooLarge { bytes, most }),
    ]
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        ".{0,40}".prop_map(|message| Failure::panicked(&message)),
        vec(".{0,40}", 0..12).prop_map(Failure::failed),
    ]
}

/// A message with outcomes.
fn outcomes() -> impl Strategy<Value = Vec<u8>> {
    let item = prop_oneof![vec(any::<u64>(), 0..5).prop_map(Ok), failures().prop_map(Err)];
    let head = (any::<u64>(), verdicts(), ".{0,40}", states());
    (head, vec(item, 0..20)).prop_map(|((first, verdict, node, state), ended)| {
        let mut writer = OutcomesWriter::default();
        for item in &ended {
            match item {
                Ok(outputs) => writer.done(outputs),
                Err(failure) => writer.failed(failure),
            }
        }
        let (items, ran_nanos) = (ended.len() as u32, 7);
        writer.outcomes(&OutcomesHead { first, items, node, state, ran_nanos, verdict })
    })
}

/// What a network may make of a message: bytes changed, inserted, or cut off.
fn damaged(messages: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (messages, vec(change, 1..6)).prop_map(|(mut bytes, changes)| {
        for (at, byte, how) in changes {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => bytes.push(byte),
            }
        }
        bytes
    })
}

/// Reads it as a node does. What is read takes no more memory than the message has bytes, but for a factor.
fn read_job(bytes: &[u8]) {
    let Ok(job) = ReceivedJob::parse(bytes) else { return };
    if let Some(trace) = &job.trace {
        assert_eq!(trace.traceparent().len(), 55);
        assert!(trace.tracestate().len() <= 512 && trace.tracestate().is_ascii());
    }
    assert!(job.head.items as usize <= bytes.len());
    let Ok(items) = job.items() else { return };
    assert_eq!(items.len(), job.head.items as usize);
    assert!(items.iter().map(|item| item.len() + 1).sum::<usize>() <= bytes.len());
    for item in items {
        if let Ok(decoded) = decode::<Vec<u8>>(item) {
            assert!(decoded.len() <= item.len());
        }
    }
}

/// Reads them as a coordinator does, which has a batch of `items` there.
fn read_outcomes(bytes: &[u8], skip: u32, items: u32) {
    let Ok(received) = ReceivedOutcomes::parse(bytes) else { return };
    assert!(received.head.node.len() <= TEXT * 10);
    assert!(received.head.node.chars().all(|c| !c.is_control()));
    if let Ok(results) = received.results::<u64>(skip, items, Vec::new()) {
        assert!(results.values.len() + results.failures.len() <= bytes.len());
        assert!(results.failures.len() <= items as usize);
        let texts = results.failures.iter().map(|(_, error)| format!("{error:?}"));
        assert!(texts.map(|text| text.len()).sum::<usize>() <= 1_000 * bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..200), is_of_version in any::<bool>()) {
        if is_of_version && let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        read_job(&bytes);
        read_outcomes(&bytes, 0, u32::MAX);
    }

    #[test]
    fn a_damaged_job_is_read_or_refused(bytes in damaged(jobs())) {
        read_job(&bytes);
    }

    #[test]
    fn damaged_outcomes_are_read_or_refused(bytes in damaged(outcomes()), skip in 0..8_u32, items in 0..30_u32) {
        read_outcomes(&bytes, skip, items);
    }

    #[test]
    fn what_was_written_is_read(job in jobs(), outcomes in outcomes()) {
        // A job that ends behind the last index is refused.
        if let Ok(job) = ReceivedJob::parse(&job) {
            prop_assert!(job.items().is_ok());
        }
        if let Ok(received) = ReceivedOutcomes::parse(&outcomes) {
            let results = received.results::<u64>(0, received.head.items, Vec::new()).unwrap();
            prop_assert!(results.failures.len() <= received.head.items as usize);
        }
    }
}

/// A message whose first item has so many results.
fn outcomes_of(first: u64, outputs: u64) -> Vec<u8> {
    let (node, state) = ("node".to_owned(), NodeState { slots: 2, in_flight: 1, is_draining: false });
    let head = OutcomesHead { first, items: 1, node, state, ran_nanos: 0, verdict: Verdict::Ran };
    let mut bytes = OutcomesWriter::default().outcomes(&head);
    put(&mut bytes, &(outputs + 1));
    bytes
}

#[test]
fn results_without_bytes_are_bounded_and_others_by_their_bytes() {
    let bytes = outcomes_of(0, 1 << 60);
    let received = ReceivedOutcomes::parse(&bytes).unwrap();
    assert_eq!(received.results::<()>(0, 1, Vec::new()).unwrap_err(), WireError::Item(0, 1));
    assert_eq!(received.results::<u8>(0, 1, Vec::new()).unwrap_err(), WireError::Item(0, 1));
}

#[test]
fn outcomes_behind_the_last_index_are_refused() {
    assert_eq!(ReceivedOutcomes::parse(&outcomes_of(u64::MAX, 0)).unwrap_err(), WireError::Head);
}

#[test]
fn a_job_carries_its_trace_and_one_that_is_none_is_ignored() {
    let mut items = Items::default();
    items.push(&7_u64).unwrap();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = TraceContext::new(parent, "vendor=1");
    assert!(trace.is_some());
    let job = items.job(5, trace.as_ref());
    assert_eq!(ReceivedJob::parse(&job).unwrap().trace, trace);
    assert_eq!(ReceivedJob::parse(&items.job(5, None)).unwrap().trace, None);
    // In its place what no coordinator sends: the job is read all the same.
    for bad in ["x".repeat(60_000), parent.replace("4bf", "4BF"), parent.replace("00-4", "ff-4")] {
        let mut bytes = vec![VERSION];
        put(&mut bytes, &JobHead { first: 5, items: 1 });
        put(&mut bytes, &(bad.as_str(), "vendor=1"));
        bytes.extend_from_slice(&items.bytes);
        let job = ReceivedJob::parse(&bytes).unwrap();
        assert_eq!((&job.trace, job.items().unwrap().len()), (&None, 1), "{bad}");
    }
}
