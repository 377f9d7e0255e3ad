//! How many panels stand side by side: a single row or column is broken into
//! several rows, and what then stands over each panel.

use super::{Grid, Line};

/// As many panels side by side as a broken row has.
const WRAP: usize = 3;

impl Grid {
    /// A single row or column becomes several rows, each panel under its heading.
    pub(super) fn wrap(&mut self) {
        let (rows, columns) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.columns));
        let (mut headings, other) = match (rows.len(), columns.len()) {
            (2.., 1) => (rows, columns),
            (1, wide) if wide > WRAP + 1 => (columns, rows),
            _ => {
                (self.rows, self.columns) = (rows, columns);
                return;
            }
        };
        // The one heading of the other side holds for every panel.
        if let Some(other) = other.first().filter(|other| !other.is_empty()) {
            headings.iter_mut().for_each(|heading| *heading = format!("{other} · {heading}"));
        }
        let mut panels: Vec<Vec<Line>> = std::mem::take(&mut self.panels).into_iter().flatten().collect();
        let wide = if headings.len() == 4 { 2 } else { WRAP.min(headings.len()) };
        self.columns = vec![String::new(); wide];
        while !panels.is_empty() {
            let take = wide.min(panels.len());
            self.panels.push(panels.drain(..take).collect());
            self.rows.push(headings.drain(..take).collect::<Vec<_>>().join("\n"));
        }
        if let Some(last) = self.panels.last_mut() {
            last.resize(wide, Vec::new());
        }
    }

    /// Whether the headings stand over each panel.
    pub(super) fn is_wrapped(&self) -> bool {
        self.columns.len() > 1 && self.columns.iter().all(String::is_empty)
    }

    /// Whether there is no panel at this place of a wrapped grid.
    pub(super) fn is_void(&self, row: usize, column: usize) -> bool {
        self.is_wrapped() && self.rows[row].split('\n').nth(column).is_none()
    }

    /// What stands over and beside a panel.
    pub(super) fn heading(&self, row: usize, column: usize) -> String {
        if self.is_wrapped() {
            return self.rows[row].split('\n').nth(column).unwrap_or_default().to_owned();
        }
        let both = [&self.rows[row], &self.columns[column]];
        both.into_iter().filter(|one| !one.is_empty()).cloned().collect::<Vec<_>>().join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn the_one_heading_of_the_other_side_stays_when_a_grid_is_wrapped() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let wrapped = |rows: &[&str], columns: &[&str]| {
            let panels = vec![vec![Vec::new(); columns.len()]; rows.len()];
            let mut grid = Grid { rows: names(rows), columns: names(columns), panels, ..Grid::default() };
            grid.wrap();
            (grid.rows, grid.panels.len())
        };
        assert_eq!(wrapped(&["ipm", "alie"], &["sgd"]), (names(&["sgd · ipm\nsgd · alie"]), 1));
        assert_eq!(wrapped(&["ipm", "alie"], &[""]), (names(&["ipm\nalie"]), 1));
        let (rows, panels) = wrapped(&["ipm"], &["a", "b", "c", "d", "e"]);
        assert_eq!((rows.len(), panels), (2, 2));
        assert!(rows[0].starts_with("ipm · a\nipm · b") && rows[1].ends_with("ipm · e"), "{rows:?}");
    }
}
