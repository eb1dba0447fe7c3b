//! The log. Its logger belongs to the application and may panic, as one that prints to a closed pipe does; so may the
//! `Display` of what is logged. Neither concerns the item, the thread or the lock at hand, so both run behind `catch`.
//!
//! Everything in this crate logs with `log::warn!` and its siblings, which take what those of the `log` crate take. The
//! macros of that crate are disallowed elsewhere (`clippy.toml`).

macro_rules! logged {
    ($level:ident, $($message:tt)+) => {{
        #[allow(clippy::disallowed_macros, reason = "here it is behind `catch`")]
        // The panic hook has reported a panic of the logger, and a log has no other reader.
        let _ = $crate::util::panic::catch(|| ::log::$level!($($message)+));
    }};
}

macro_rules! warn_caught {
    ($($message:tt)+) => { $crate::util::log::logged!(warn, $($message)+) };
}

macro_rules! info_caught {
    ($($message:tt)+) => { $crate::util::log::logged!(info, $($message)+) };
}

macro_rules! debug_caught {
    ($($message:tt)+) => { $crate::util::log::logged!(debug, $($message)+) };
}

pub(crate) use {debug_caught as debug, info_caught as info, logged, warn_caught as warn};
