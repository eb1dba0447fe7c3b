//! Where a trace goes on in another process.

use std::sync::Arc;

/// The place in a trace at which another process goes on with it: the values of the headers `traceparent` and `tracestate`
/// of [W3C Trace Context](https://www.w3.org/TR/trace-context/).
///
/// It travels with the batches of a pipeline to the nodes of `remote`: see [`Observer::inject`](crate::observe::Observer::inject).
///
/// ```
/// use actix_fan::observe::TraceContext;
///
/// let trace = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "").unwrap();
/// assert!(trace.traceparent().contains("4bf92f3577b34da6a3ce929d0e0e4736"));
/// assert_eq!(TraceContext::new("4bf92f3577b34da6a3ce929d0e0e4736", ""), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: Arc<str>,
    tracestate: Arc<str>,
}

/// The parts of a `traceparent`, in hexadecimal digits: its version, the trace, the parent, and flags.
const PARTS: [usize; 4] = [2, 32, 16, 2];

/// How many characters of a `tracestate` a vendor may rely on.
const MAX_STATE: usize = 512;

impl TraceContext {
    /// `None` if the first text is no `traceparent`. The second may be empty: one that is longer than 512 bytes, or has
    /// other characters than a header may have, is left out: the trace works without it.
    pub fn new(traceparent: &str, tracestate: &str) -> Option<Self> {
        let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        // First of all, so that a long text is not looked at.
        if traceparent.len() != PARTS.iter().sum::<usize>() + PARTS.len() - 1 {
            return None;
        }
        let parts: Vec<&str> = traceparent.split('-').collect();
        let are_parts = parts.iter().map(|part| part.len()).eq(PARTS) && parts.iter().all(|part| is_hex(part));
        if !are_parts || parts[0] == "ff" || is_zero(parts[1]) || is_zero(parts[2]) {
            return None;
        }
        let is_state = tracestate.len() <= MAX_STATE && tracestate.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let tracestate = if is_state { tracestate } else { "" };
        Some(Self { traceparent: traceparent.into(), tracestate: tracestate.into() })
    }

    /// 55 characters: a version, the id of the trace, that of the span in it, and flags, as in
    /// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// What vendors add, or nothing.
    pub fn tracestate(&self) -> &str {
        &self.tracestate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_what_w3c_says() {
        assert_eq!(TraceContext::new(GOOD, "").unwrap().traceparent(), GOOD);
        for bad in [
            "",
            "00",
            &GOOD.replace("4bf9", "4BF9"),
            &GOOD.replace("4bf9", "4bg9"),
            &GOOD.replace("00-4", "ff-4"),
            &GOOD.replace("-00f0", "f-0f0"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("-01", "-é"),
            &format!("{GOOD}-x"),
        ] {
            assert_eq!(TraceContext::new(bad, ""), None, "{bad}");
        }
    }

    #[test]
    fn a_tracestate_that_no_header_may_have_is_left_out() {
        let state = |state: &str| TraceContext::new(GOOD, state).unwrap().tracestate().to_owned();
        assert_eq!(state("rojo=00f067aa0ba902b7,congo=t61"), "rojo=00f067aa0ba902b7,congo=t61");
        for bad in ["a=\n", "a=é", &"a".repeat(513)] {
            assert_eq!(state(bad), "");
        }
    }
}
