//! Draws a picture of a run on a terminal.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Bar, BarChart, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap},
};

use super::picture::{Curve, Picture, duration};

/// Colours that also differ for the colour-blind (Okabe and Ito, 2008).
const BLUE: Color = Color::Rgb(86, 180, 233);
const ORANGE: Color = Color::Rgb(230, 159, 0);

/// Lines of a terminal that has room for everything; where there are fewer, the bars are left out.
const TALL: u16 = 22;
/// Lines that the bars take.
const BARS: u16 = 9;
/// Lines below which a curve cannot be read.
const LOW: u16 = 6;
/// Columns below which there is room for one chart and one panel only.
const NARROW: u16 = 70;
/// Columns from which there is room for the workers beside the other panels.
const WIDE: u16 = 112;

/// The curves of a chart: what they are called, and their colours.
const CURVES: [(&str, Color); 2] = [("test", BLUE), ("honest batches", ORANGE)];

/// Draws `picture`; `silent` is for how many seconds nothing new has come.
pub fn draw(frame: &mut Frame<'_>, picture: &Picture, silent: u64) {
    let (head, below) = if frame.area().height >= TALL { (4, BARS) } else { (2, 0) };
    let rows =
        [Constraint::Length(head), Constraint::Fill(1), Constraint::Length(below), Constraint::Length(1)];
    let [head, middle, bars, foot] = Layout::vertical(rows).areas(frame.area());
    header(frame, head, picture);
    curves(frame, middle, picture);
    if below > 0 {
        all_bars(frame, bars, picture);
    }
    frame.render_widget(footer(picture, silent), foot);
}

/// Accuracy and loss side by side; one of them, or a line of numbers, where there is no room or no accuracy.
fn curves(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let has = |curves: &[Curve; 2]| curves.iter().any(|curve| !curve.is_empty());
    if area.height < LOW {
        return frame.render_widget(Paragraph::new(picture.line()).wrap(Wrap { trim: true }), area);
    }
    if has(&picture.loss) && !has(&picture.accuracy) {
        return chart(frame, area, "Loss", &picture.loss, false);
    }
    if area.width < NARROW {
        return chart(frame, area, "Accuracy", &picture.accuracy, true);
    }
    let half = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let [left, right] = Layout::horizontal(half).areas(area);
    chart(frame, left, "Accuracy", &picture.accuracy, true);
    chart(frame, right, "Loss", &picture.loss, false);
}

/// Where the time goes, what the attack does, and the workers; what the attack does alone where there is little room.
fn all_bars(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    if area.width < NARROW {
        return table(frame, area, picture);
    }
    let third = if picture.workers.is_empty() || area.width < WIDE { 0 } else { 32 };
    let columns = [Constraint::Fill(1), Constraint::Fill(1), Constraint::Length(third)];
    let [phases, measures, workers] = Layout::horizontal(columns).areas(area);
    phase_bars(frame, phases, picture);
    table(frame, measures, picture);
    if third > 0 {
        worker_bars(frame, workers, picture);
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let [title, bar] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let words = [picture.name.clone().bold(), Span::raw("  "), Span::raw(picture.versus.clone())];
    frame.render_widget(Line::from(words.to_vec()), title);
    let (done, all) = picture.rounds;
    let ratio = if all == 0 { 0.0 } else { (done as f64 / all as f64).clamp(0.0, 1.0) };
    let block = if bar.height >= 3 { Block::bordered() } else { Block::new() };
    let gauge = Gauge::default()
        .block(block)
        .gauge_style(Style::new().fg(BLUE))
        .ratio(ratio)
        .label(format!("round {done}/{all}"));
    frame.render_widget(gauge, bar);
}

/// Two curves over rounds: test first, honest batches second.
fn chart(frame: &mut Frame<'_>, area: Rect, title: &str, curves: &[Curve; 2], fraction: bool) {
    let points = || curves.iter().flatten();
    let block = Block::bordered().title(format!("{title} by round")).title_bottom(legend(curves));
    if points().next().is_none() {
        return frame.render_widget(Paragraph::new("nothing yet").block(block), area);
    }
    let last = points().map(|(round, _)| *round).fold(1.0, f64::max);
    let high = if fraction { 1.0 } else { points().map(|(_, value)| *value).fold(f64::MIN, f64::max) };
    let low = if fraction { 0.0 } else { points().map(|(_, value)| *value).fold(high, f64::min).min(0.0) };
    let high = if high > low { high } else { low + 1.0 };
    let number =
        |value: f64| if fraction { format!("{:.0} %", 100.0 * value) } else { format!("{value:.2}") };
    let set = |at: usize| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(CURVES[at].1))
            .data(&curves[at])
    };
    let chart = Chart::new(vec![set(1), set(0)])
        .block(block)
        .x_axis(Axis::default().bounds([0.0, last]).labels(["0".to_owned(), last.to_string()]))
        .y_axis(Axis::default().bounds([low, high]).labels([low, (low + high) / 2.0, high].map(number)));
    frame.render_widget(chart, area);
}

/// Which curve has which colour, for the lower edge of a chart, where it hides nothing.
fn legend(curves: &[Curve; 2]) -> Line<'static> {
    let there = CURVES.iter().zip(curves).filter(|(_, curve)| !curve.is_empty());
    let words = there.map(|((name, color), _)| Span::styled(format!(" {name} "), Style::new().fg(*color)));
    words.collect::<Vec<_>>().into()
}

fn phase_bars(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let bars: Vec<Bar<'_>> = picture
        .phases
        .iter()
        .map(|(name, seconds)| {
            let text = format!("{:.2} ms", 1e3 * seconds);
            Bar::with_label(*name, (1e6 * seconds) as u64).text_value(text).style(Style::new().fg(BLUE))
        })
        .collect();
    frame.render_widget(flat(bars, "Time of a round"), area);
}

fn worker_bars(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let mut workers = picture.workers.clone();
    workers.sort_by(|a, b| b.2.total_cmp(&a.2));
    let bars: Vec<Bar<'_>> = workers
        .iter()
        .take(usize::from(area.height.saturating_sub(2)))
        .map(|(id, honest, weight)| {
            let color = if *honest { BLUE } else { ORANGE };
            let name = format!("{id} {}", if *honest { "honest" } else { "Byzantine" });
            Bar::with_label(name, (1e6 * weight.max(0.0)) as u64)
                .text_value(format!("{:.1} %", 100.0 * weight))
                .style(Style::new().fg(color))
        })
        .collect();
    frame.render_widget(flat(bars, "Workers by weight"), area);
}

/// Bars that lie, one a line.
fn flat<'a>(bars: Vec<Bar<'a>>, title: &'a str) -> BarChart<'a> {
    BarChart::horizontal(bars)
        .block(Block::bordered().title(title))
        .bar_width(1)
        .bar_gap(0)
        .value_style(Style::new().add_modifier(Modifier::REVERSED))
}

fn table(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let width = usize::from(area.width.saturating_sub(2));
    // Where there is too little room, it is the name that is cut.
    let line = |(name, value): &(&str, String)| {
        let room = width.saturating_sub(value.chars().count() + 1);
        Line::raw(format!("{name:<room$.room$} {value}"))
    };
    let lines: Vec<Line<'_>> = picture.measures.iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("Robustness, last round")), area);
}

fn footer(picture: &Picture, silent: u64) -> Line<'static> {
    let pace = picture.pace.map(|pace| format!("{pace:.1} rounds/s  "));
    let state = match (&picture.end, picture.left()) {
        (Some(end), _) => end.status.name().to_owned(),
        (None, _) if silent > 10 => format!("nothing new for {}", duration(silent as f64)),
        (None, Some(left)) => format!("{} left", duration(left)),
        (None, None) => "waiting for the first round".to_owned(),
    };
    Line::raw(format!("{}{state}   q quits", pace.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::{Picture, draw};

    fn drawn(picture: &Picture, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, picture, 0)).unwrap();
        terminal.backend().to_string()
    }

    fn picture() -> Picture {
        Picture {
            name: "study".into(),
            versus: "ctma > cwmed against ipm".into(),
            rounds: (20, 40),
            pace: Some(10.0),
            accuracy: [vec![(0.0, 0.1), (20.0, 0.9)], vec![(1.0, 0.2), (20.0, 0.8)]],
            loss: [vec![(0.0, 2.3), (20.0, 0.4)], vec![]],
            phases: vec![("gradient", 0.02), ("aggregation", 0.001)],
            measures: vec![("Byzantine weight", "5.0 % of 25.0 %".into())],
            workers: vec![(0, true, 0.3), (3, false, 0.1)],
            ..Picture::default()
        }
    }

    #[test]
    fn everything_is_on_the_screen() {
        let screen = drawn(&picture(), 120, 32);
        for text in [
            "study",
            "ctma > cwmed against ipm",
            "round 20/40",
            "Accuracy",
            "honest batches",
            "2.30",
            "gradient",
            "20.00 ms",
            "5.0 % of 25.0 %",
            "3 Byzantine",
            "10.0 %",
            "10.0 rounds/s  2 s left",
            "q quits",
        ] {
            assert!(screen.contains(text), "{text} in\n{screen}");
        }
    }

    #[test]
    fn what_a_terminal_has_no_room_for_is_left_out() {
        let foot = "10.0 rounds/s  2 s left   q quits";
        let low = drawn(&picture(), 80, 16);
        let parts = ["round 20/40", "Accuracy by round", "Loss by round", foot];
        assert!(parts.iter().all(|part| low.contains(part)) && !low.contains("Time of a round"), "{low}");
        let narrow = drawn(&picture(), 40, 12);
        assert!(narrow.contains("Accuracy by round") && narrow.contains(foot), "{narrow}");
        assert!(!narrow.contains("Loss"), "{narrow}");
        let tiny = drawn(&picture(), 40, 6);
        assert!(tiny.contains("accuracy 90.00 %") && tiny.contains(foot), "{tiny}");
    }

    #[test]
    fn a_usual_terminal_shows_the_legend_and_whole_values() {
        let weight = "22.2 % of 47.1 %";
        let picture = Picture { measures: vec![("Byzantine weight", weight.into())], ..picture() };
        for (width, phases) in [(80, true), (40, false)] {
            let screen = drawn(&picture, width, 24);
            for text in [" test ", " honest batches ", "Byzantine weight", weight] {
                assert!(screen.contains(text), "{text} in\n{screen}");
            }
            assert_eq!(screen.contains("Time of a round"), phases, "{screen}");
            assert!(!screen.contains("Workers by weight"), "{screen}");
        }
    }

    #[test]
    fn a_task_without_accuracy_has_its_loss_alone() {
        let screen = drawn(&Picture { accuracy: Default::default(), ..picture() }, 120, 32);
        assert!(screen.contains("Loss by round") && !screen.contains("Accuracy"), "{screen}");
    }

    #[test]
    fn a_run_without_a_round_and_a_terminal_without_room_are_drawn() {
        let screen = drawn(&Picture::default(), 80, 24);
        assert!(screen.contains("nothing yet") && screen.contains("waiting for the first round"), "{screen}");
        for (width, height) in [(1, 1), (20, 5), (40, 12), (300, 80)] {
            drawn(&picture(), width, height);
        }
    }
}
