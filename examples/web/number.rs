//! How numbers are written: as `prime-fan` reads them.

/// `1000`, `+1000`, `1_000`, `0x3e8`, `1e3` or `10^3`, of up to 128 bits.
pub(crate) fn number(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return digits(hex, 16);
    }
    if let Some((base, exponent)) = text.split_once('^') {
        let (base, exponent) = (digits(base, 10)?, digits(exponent, 10)?);
        return match base {
            0 | 1 if exponent > 0 => Some(base),
            _ => base.checked_pow(exponent.try_into().ok()?),
        };
    }
    if let Some((left, exponent)) = text.split_once(['e', 'E']) {
        let (left, exponent) = (digits(left, 10)?, digits(exponent.strip_prefix('+').unwrap_or(exponent), 10)?);
        return match left {
            0 => Some(0),
            _ => left.checked_mul(10u128.checked_pow(exponent.try_into().ok()?)?),
        };
    }
    digits(text, 10)
}

/// An underscore stands between two digits.
fn digits(text: &str, radix: u32) -> Option<u128> {
    let mut value = 0u128;
    let mut is_due = true;
    for digit in text.chars() {
        if digit == '_' && !is_due {
            is_due = true;
            continue;
        }
        value = value.checked_mul(radix.into())?.checked_add(digit.to_digit(radix)?.into())?;
        is_due = false;
    }
    (!is_due).then_some(value)
}
