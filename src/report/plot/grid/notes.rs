//! What is said below a picture: what a reader cannot see in it, and has to know.

use super::{Grid, Line, scale::Scale};

/// As many lines as a note names.
const NAMED: usize = 6;

impl Line {
    /// Whether it goes beyond `top`, or to what is no number.
    fn leaves(&self, top: f64) -> bool {
        let begun = self.points.iter().skip_while(|point| point.y.is_nan());
        begun.map(|point| point.y).any(|y| y.is_nan() || y.is_infinite() || y > top)
    }
}

impl Grid {
    /// What a reader cannot see, and has to know.
    pub(super) fn notes(&self, scale: &Scale) -> Vec<String> {
        let top = if self.y.log { 10f64.powf(scale.y.range.1) } else { scale.y.range.1 };
        let told = |what: &str, is_so: &dyn Fn(&Line) -> bool| {
            let names = self.names(is_so);
            (!names.is_empty()).then(|| format!("{what}: {}.", names.join("; ")))
        };
        let bands = "Without the bands of intervals: a panel has more than five lines.".to_owned();
        let notes = [
            told("Diverged, beyond the axis or to no number at all", &|line| line.leaves(top)),
            told("Not drawn where 0 or less, for which a logarithmic axis has no place", &|line| {
                self.y.log && line.points.iter().any(|point| point.y <= 0.0)
            }),
            (!self.has_intervals()).then_some(bands),
        ];
        notes.into_iter().flatten().collect()
    }

    /// The lines of which something is so, with the panels in which it is.
    fn names(&self, is_so: &dyn Fn(&Line) -> bool) -> Vec<String> {
        let unnamed = [(String::new(), 0)];
        let lines = if self.legend.is_empty() { &unnamed[..] } else { &self.legend };
        let mut names: Vec<String> = lines
            .iter()
            .filter_map(|(label, number)| Some(named(label, &self.places(*number, is_so)?)))
            .collect();
        if names.len() > NAMED {
            let more = names.split_off(NAMED).len();
            names.push(format!("{more} more"));
        }
        names
    }

    /// The headings of the panels in which something is so of the line with this colour; none if it is so in no panel.
    fn places(&self, colour: usize, is_so: &dyn Fn(&Line) -> bool) -> Option<String> {
        let is_there = |lines: &[Line]| lines.iter().any(|line| line.colour == colour && is_so(line));
        let mut headings: Vec<String> = Vec::new();
        for (r, row) in self.panels.iter().enumerate() {
            let those = row.iter().enumerate().filter(|(_, lines)| is_there(lines));
            headings.extend(those.map(|(c, _)| self.heading(r, c)));
        }
        let is_in_some = !headings.is_empty();
        headings.retain(|heading| !heading.is_empty());
        is_in_some.then(|| headings.join(", "))
    }
}

/// What a line is called whose label and places are these.
fn named(label: &str, places: &str) -> String {
    match (label, places) {
        ("", "") => "the line".to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (label, places) => format!("{label} ({places})"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::panel, Scale};

    #[test]
    fn bands_of_many_lines_are_left_out() {
        let line: &[f64] = &[1.0, 2.0];
        let few = panel(&[line; 5], false).draw().unwrap();
        let many = panel(&[line; 6], false).draw().unwrap();
        assert_eq!([&few, &many].map(|svg| svg.matches("<polygon").count()), [5, 0]);
        assert_eq!([few, many].map(|svg| svg.contains("Without the bands")), [false, true]);
    }

    /// Of a line that grows beyond all numbers there is what can be seen, and a note.
    #[test]
    fn what_diverges_is_told_and_does_not_set_the_range() {
        let (falls, grows): (&[f64], &[f64]) = (&[1.0, 1e-2, 1e-4], &[1.0, 1e30, 1e60]);
        let top = |lines: &[&[f64]]| Scale::of(&panel(lines, true)).y.range.1;
        assert!(top(&[falls, grows]) < 4.0 && top(&[falls]) < 1.0);
        let told = |ys| panel(&[falls, ys], true).draw().unwrap().contains("to no number at all: line-1.");
        let never = &[f64::NAN, 1.0];
        let cases: [&[f64]; 5] = [grows, &[1.0, f64::INFINITY], &[1.0, f64::NAN], never, falls];
        assert_eq!(cases.map(told), [true, true, true, false, false]);
        let zero = panel(&[falls, &[1.0, 0.0, 1.0]], true).draw().unwrap();
        assert!(zero.contains("for which a logarithmic axis has no place: line-1."), "{zero}");
        assert!(!panel(&[falls, &[1.0, 0.0, 1.0]], false).draw().unwrap().contains("0 or less"));
    }
}
