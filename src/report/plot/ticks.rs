//! Where the marks of an axis stand, and how a number is written there.

/// Marks within the range of an axis, `most` of them at most; on a logarithmic axis the range and the marks are
/// exponents of ten.
pub fn marks((low, high): (f64, f64), log: bool, most: usize) -> Vec<f64> {
    if log { powers(low, high, most) } else { even(low, high, most) }
}

/// Where a value is on an axis: exponents of ten on a logarithmic one.
pub fn place(value: f64, log: bool) -> f64 {
    if log { value.log10() } else { value }
}

/// What stands at a place on an axis.
pub fn label(place: f64, log: bool) -> String {
    written(if log { 10f64.powf(place) } else { place })
}

/// The least of the round steps that goes `most` times at most into `room`.
pub fn step(room: f64, most: usize) -> f64 {
    // a quotient that should be whole may lie a little above it
    let fits = |step: &f64| room / step <= most as f64 * (1.0 + 1e-9);
    steps(room, most).find(fits).unwrap_or(room)
}

/// 1, 2 and 5 times powers of ten, from about the size that goes `most` times into `room`.
fn steps(room: f64, most: usize) -> impl Iterator<Item = f64> {
    let first = (room / most as f64).log10().floor();
    (0..4).flat_map(move |up| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powf(first + f64::from(up))))
}

/// Multiples of a round step.
fn even(low: f64, high: f64, most: usize) -> Vec<f64> {
    let multiples = |step: f64| -> Vec<f64> {
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        (0..=(last - first).max(0.0) as usize).map(|at| (first + at as f64) * step).collect()
    };
    steps(high - low, most).map(multiples).find(|marks| marks.len() <= most).unwrap_or_default()
}

/// 1, 2 and 5 times powers of ten, or powers alone, or some of them; in less than a decade, round numbers.
fn powers(low: f64, high: f64, most: usize) -> Vec<f64> {
    let within = |digits: &[f64], every: i32| -> Vec<f64> {
        let all = (low.floor() as i32..=high.ceil() as i32).filter(|power| power % every == 0);
        let marks = all.flat_map(|power| digits.iter().map(move |digit| f64::from(power) + digit.log10()));
        marks.filter(|mark| (low..=high).contains(mark)).collect()
    };
    let fine = within(&[1.0, 2.0, 5.0], 1);
    if fine.len() < 3 {
        let round = even(10f64.powf(low), 10f64.powf(high), most);
        return round.into_iter().filter(|mark| *mark > 0.0).map(f64::log10).collect();
    }
    if fine.len() <= most {
        return fine;
    }
    (1..).map(|every| within(&[1.0], every)).find(|marks| marks.len() <= most).unwrap_or_default()
}

/// A number on an axis: six digits at most, no zeros behind, a power of ten where it is very large or small.
pub fn written(value: f64) -> String {
    let size = value.abs();
    if size < 1e-300 {
        return "0".to_owned();
    }
    if (1e-4..1e6).contains(&(size * (1.0 + 1e-9))) {
        return without_zeros(&format!("{value:.6}")).to_owned();
    }
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    match without_zeros(digits) {
        "1" => format!("10{}", raised(power)),
        digits => format!("{digits}×10{}", raised(power)),
    }
}

fn without_zeros(digits: &str) -> &str {
    digits.trim_end_matches('0').trim_end_matches('.')
}

/// A whole number as an exponent.
fn raised(power: &str) -> String {
    let sign = |c: char| match c {
        '-' => '⁻',
        digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit.to_digit(10).unwrap_or(0) as usize],
    };
    power.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{label, marks, step, written};

    fn labels(range: (f64, f64), log: bool) -> Vec<String> {
        marks(range, log, 6).into_iter().map(|mark| label(mark, log)).collect()
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        let ticks = [0.300_000_000_000_000_04, 1500.0, 0.0, -0.25, 1e6, 2e7, 1.5e-7, 1e-9].map(written);
        assert_eq!(ticks, ["0.3", "1500", "0", "-0.25", "10⁶", "2×10⁷", "1.5×10⁻⁷", "10⁻⁹"]);
    }

    #[test]
    fn a_step_is_round() {
        assert_eq!(
            [(9.0, 6), (10.0, 5), (0.0031, 6), (3.0, 6)].map(|(room, most)| step(room, most)),
            [2.0, 2.0, 0.001, 0.5]
        );
    }

    #[test]
    fn marks_are_what_a_reader_expects() {
        assert_eq!(labels((0.0, 300.0), false), ["0", "100", "200", "300"]);
        assert_eq!(labels((-4.0, 104.0), false), ["0", "20", "40", "60", "80", "100"]);
        // 0.08 to 2.4
        assert_eq!(labels((-1.1, 0.38), true), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels((-1.1, 2.5), true), ["0.1", "1", "10", "100"]);
        assert_eq!(labels((-12.0, 2.0), true), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "0.001", "1"]);
        // 2.2 to 3.3: too narrow for powers
        assert_eq!(labels((0.343, 0.519), true), ["2.4", "2.6", "2.8", "3", "3.2"]);
    }

    proptest! {
        #[test]
        fn every_range_has_round_marks_with_labels_of_their_own(low in -9.0..6.0f64, room in 0.05..14.0f64, log: bool, most in 5usize..10) {
            let range = (low, low + room);
            let marks = marks(range, log, most);
            prop_assert!((2..=most).contains(&marks.len()), "{marks:?}");
            let value = |mark: f64| if log { 10f64.powf(mark) } else { mark };
            let mut seen = Vec::new();
            for &mark in &marks {
                prop_assert!(range.0 - 1e-6 <= mark && mark <= range.1 + 1e-6, "{mark} in {range:?}");
                let label = label(mark, log);
                let (digits, power) = read(&label);
                let read = digits * 10f64.powi(power);
                prop_assert!((read - value(mark)).abs() <= 1e-6 * value(mark).abs() + 1e-9 * room, "{label} at {}", value(mark));
                prop_assert!(label.chars().count() <= 9, "{label}");
                prop_assert!(!seen.contains(&label), "{label} twice in {marks:?}");
                seen.push(label);
            }
        }
    }

    /// A label as a reader takes it: digits and a power of ten.
    fn read(label: &str) -> (f64, i32) {
        let Some(place) = label
            .find("10")
            .filter(|_| label.contains(['⁻', '⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹']))
        else {
            return (label.parse().unwrap(), 0);
        };
        let (digits, power) = label.split_at(place);
        let digits = digits.strip_suffix('×').map_or(1.0, |digits| digits.parse().unwrap());
        let plain = |c: char| match "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|digit| digit == c) {
            Some(digit) => char::from(b'0' + digit as u8),
            None => '-',
        };
        (digits, power[2..].chars().map(plain).collect::<String>().parse().unwrap())
    }
}
