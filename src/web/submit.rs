//! One item per request.

use std::time::Duration;

use actix_web::rt::time::timeout;

use super::refused::Refused;
use crate::pool::Pool;

/// Submits an item from a handler and awaits its result. Refuses the item at once if the pool's window is full.
///
/// So a request waits for the items in the window at most. To wait for a permit instead, in an admission queue without
/// a bound, call [`Pool::submit`]; to get a refused item back, call [`Pool::try_submit`].
///
/// # Errors
///
/// [`Refused`], which is a response: 503 with `Retry-After` if the window is full, 503 if the pool is closed, 500 if
/// the item failed.
///
/// # Examples
///
/// ```
/// use actix_fan::Pool;
/// use actix_fan::web::{Refused, submit};
/// use actix_web::web::{Data, Path};
///
/// async fn square(
///     squares: Data<Pool<u64, u64>>,
///     n: Path<u64>,
/// ) -> Result<String, Refused> {
///     Ok(submit(&squares, *n).await?.to_string())
/// }
/// # let _ = square;
/// ```
pub async fn submit<I, O>(pool: &Pool<I, O>, item: I) -> Result<O, Refused>
where
    I: Send + 'static,
    O: Send + 'static,
{
    let submission = pool.try_submit(item).map_err(|error| Refused::by(pool, error))?;
    submission.await.map_err(|error| Refused::by(pool, error))
}

/// As [`submit`], and cancels the item if there is no result within `deadline`. An item that has not begun is not run,
/// and its permit is released at once. A running item sees that [`Job::is_stopped`](crate::Job::is_stopped) returns
/// true, and its permit is released when its work returns.
///
/// `Retry-After` of a full pool is at most `deadline`: if all requests to the pool have the same deadline, those that
/// fill the window now are answered or cancelled by then.
///
/// # Errors
///
/// As [`submit`], and [`Refused::Late`], which is 504.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use actix_fan::Pool;
/// use actix_fan::web::{Refused, submit_within};
/// use actix_web::web::{Data, Path};
///
/// const DEADLINE: Duration = Duration::from_secs(2);
///
/// async fn square(
///     squares: Data<Pool<u64, u64>>,
///     n: Path<u64>,
/// ) -> Result<String, Refused> {
///     let square = submit_within(&squares, *n, DEADLINE).await?;
///     Ok(square.to_string())
/// }
/// # let _ = square;
/// ```
pub async fn submit_within<I, O>(pool: &Pool<I, O>, item: I, deadline: Duration) -> Result<O, Refused>
where
    I: Send + 'static,
    O: Send + 'static,
{
    match timeout(deadline, submit(pool, item)).await {
        Ok(Err(Refused::Full { retry_after })) => Err(Refused::Full { retry_after: retry_after.min(deadline) }),
        Ok(result) => result,
        Err(_) => Err(Refused::Late { deadline }),
    }
}
