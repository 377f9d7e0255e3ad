//! Which pictures a study has, in the order of the page.

mod attacks;
mod breakdown;
mod cells;
mod classes;
mod cost;
mod heterogeneity;
mod weights;

use std::iter::once;

use super::{
    ReportError,
    curves::{Against, curves, drawn, titled},
    plot::{DrawError, Heat},
    statistics::Estimate,
    study::{Series, Study},
};

/// A picture.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its file's name without the ending.
    pub stem: String,
    /// Pictures of one group are views of the same numbers; the page shows one at a time.
    pub group: String,
    /// What this view is called.
    pub view: String,
    /// The picture.
    pub svg: String,
}

/// All pictures of `study`.
///
/// # Errors
/// [`ReportError::Draw`].
pub fn figures(study: &Study) -> Result<Vec<Figure>, ReportError> {
    let mut gallery = Gallery { study, figures: Vec::new() };
    gallery.all().map_err(ReportError::draw)?;
    Ok(gallery.figures)
}

struct Gallery<'a> {
    study: &'a Study,
    figures: Vec<Figure>,
}

/// A heat map with what it is of.
struct Map {
    /// The values of the problem's settings. Maps of one problem share the limits of their colours.
    problem: Vec<usize>,
    stem: String,
    heat: Heat,
}

impl Gallery<'_> {
    fn all(&mut self) -> Result<(), DrawError> {
        self.curves()?;
        self.weights()?;
        self.classes()?;
        self.breakdown()?;
        self.attacks()?;
        self.heterogeneity()?;
        self.cost()
    }

    /// What was measured, against all that it can be drawn against.
    fn curves(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let which = &study.layout.split;
        for measure in drawn(study) {
            for split in study.combinations(which) {
                for against in Against::ALL {
                    let group = titled(study, measure.title, (which, &split));
                    let stem = format!("{}-{}", self.stem(measure.column, (which, &split)), against.name());
                    let svg = curves(study, &split, measure, against).draw()?;
                    self.add(stem, group, against.name(), svg);
                }
            }
        }
        Ok(())
    }

    /// Heat maps, each under its title.
    fn maps(&mut self, maps: &[Map]) -> Result<(), DrawError> {
        for Map { problem, stem, heat } in maps {
            let alike = maps.iter().filter(|other| other.problem == *problem);
            let svg = heat.draw_among(alike.map(|other| &other.heat))?;
            self.add(stem.clone(), heat.title.clone(), "", svg);
        }
        Ok(())
    }

    /// A picture in a file `stem`, or one beside it if that is taken.
    fn add(&mut self, stem: String, group: impl Into<String>, view: &str, svg: String) {
        let others = (2..).map(|number| format!("{stem}-{number}"));
        let is_taken = |stem: &String| self.figures.iter().any(|figure| figure.stem == *stem);
        let Some(stem) = once(stem.clone()).chain(others).find(|stem| !is_taken(stem)) else { return };
        self.figures.push(Figure { stem, group: group.into(), view: view.to_owned(), svg });
    }

    /// A file's name for `what` with the values `levels` of the factors `which`.
    fn stem(&self, what: &str, (which, levels): (&[usize], &[usize])) -> String {
        slug(&format!("{what} {}", self.study.label(which, levels)))
    }
}

/// The final value of the runs of `series`, scaled for showing.
fn shown<'a>(study: &Study, series: impl IntoIterator<Item = &'a Series>) -> Option<Estimate> {
    study.settled(series).map(|estimate| estimate.scaled(study.measure.scale()))
}

/// Letters and digits of `text` with single dashes between them; a minus is a word.
fn slug(text: &str) -> String {
    let text = text.replace("= -", "= minus ");
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(plain).collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::{
        super::study::tests::{run, study},
        Figure, Gallery, figures, slug,
    };

    /// The texts of the figure `stem` that are `text`.
    pub fn count(figures: &[Figure], stem: &str, text: &str) -> usize {
        let figure = figures.iter().find(|figure| figure.stem == stem);
        figure.unwrap_or_else(|| panic!("no {stem}")).svg.lines().filter(|line| line.trim() == text).count()
    }

    #[test]
    fn figures_of_other_values_have_other_files() {
        let files = ["epsilon = -3", "epsilon = 3", "epsilon = 0.3"].map(slug);
        assert_eq!(files, ["epsilon-minus-3", "epsilon-3", "epsilon-0.3"]);
        let runs = [1, 2].map(|seed| run(seed, "'mean'", "ipm", ""));
        let figures = figures(&study(runs.into())).unwrap();
        let mut stems: Vec<&str> = figures.iter().map(|figure| figure.stem.as_str()).collect();
        stems.sort_unstable();
        stems.dedup();
        assert_eq!(stems.len(), figures.len());
        let study = study(vec![run(1, "'mean'", "ipm", "")]);
        let mut gallery = Gallery { study: &study, figures: Vec::new() };
        (0..3).for_each(|_| gallery.add("same".to_owned(), "", "", String::new()));
        let stems: Vec<String> = gallery.figures.into_iter().map(|figure| figure.stem).collect();
        assert_eq!(stems, ["same", "same-2", "same-3"]);
    }
}
