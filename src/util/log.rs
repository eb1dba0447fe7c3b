//! Logging that can't panic. The logger belongs to the application and may panic, for example when it prints to a
//! closed pipe; so may the `Display` of a logged value. A record that is lost must not fail an item or end a thread, so
//! both are called inside `catch`.
//!
//! This crate logs with the macros here, which take the same arguments as those of the `log` crate. Those are
//! disallowed elsewhere (`clippy.toml`).

macro_rules! logged {
    ($level:ident, $($message:tt)+) => {{
        #[allow(clippy::disallowed_macros, reason = "it is called inside `catch`")]
        // The panic hook has reported a panic of the logger.
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
