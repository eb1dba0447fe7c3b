//! Text of numbers that are close to each other, such as the primes of a range: only the last digits are computed for each.

/// The last four digits are computed for each number, the others when they change.
const LAST: u64 = 10_000;

/// The bytes that are copied per line: at least the 20 digits of a number and a line feed.
const LINE: usize = 32;

/// The digits of the numbers below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + n as u8 / 10, b'0' + n as u8 % 10];
        n += 1;
    }
    pairs
};

/// Returns `count` numbers at most, each on a line. None has more than `digits` digits.
pub(crate) fn lines(numbers: impl Iterator<Item = u64>, count: usize, digits: usize) -> Vec<u8> {
    let mut lines = vec![0; count * (digits + 1) + LINE];
    let mut end = 0;
    // The line of the latest number, whose last digits are not kept.
    let (mut line, mut len, mut first) = ([0; LINE], 0, u64::MAX);
    numbers.for_each(|number| {
        let (upper, last) = (number / LAST, (number % LAST) as usize);
        if upper != first || upper == 0 {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(number).as_bytes();
            line[..text.len()].copy_from_slice(text);
            line[text.len()] = b'\n';
            (len, first) = (text.len() + 1, upper);
        }
        // A copy of a fixed length takes a few instructions. What it writes behind the line is overwritten.
        let target: &mut [u8; LINE] = lines[end..].first_chunk_mut().expect("there is room behind the last line");
        *target = line;
        if upper > 0 {
            let [a, b] = PAIRS[last / 100];
            let [c, d] = PAIRS[last % 100];
            for (digit, place) in [a, b, c, d].into_iter().zip(len - 5..) {
                target[place % LINE] = digit;
            }
        }
        end += len;
    });
    lines.truncate(end);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_lines(numbers: &[u64]) {
        let digits = numbers.iter().max().map_or(1, |n| n.to_string().len());
        let expected: String = numbers.iter().map(|n| format!("{n}\n")).collect();
        let found = lines(numbers.iter().copied(), numbers.len(), digits);
        assert_eq!(String::from_utf8(found).unwrap(), expected);
    }

    #[test]
    fn numbers_pass_the_powers_of_ten() {
        assert_lines(&[]);
        assert_lines(&(0..120_000).collect::<Vec<_>>());
        for power in (1..20).map(|i| 10u64.pow(i)) {
            assert_lines(&(power.saturating_sub(20_011)..power.saturating_add(20_011)).step_by(7).collect::<Vec<_>>());
        }
        assert_lines(&(u64::MAX - 20_000..=u64::MAX).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn any_numbers_are_written_as_they_are(numbers in prop::collection::vec((any::<u64>(), 0u32..64), 0..100)) {
            assert_lines(&numbers.into_iter().map(|(n, shift)| n >> shift).collect::<Vec<_>>());
        }
    }
}
