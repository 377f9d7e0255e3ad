//! Choosing hyper-parameters as the field does it: of the values of the tuned
//! keys, those whose worst attack leaves the best validation accuracy. The test
//! set takes no part in the choice; it is read off afterwards.
//!
//! The keys of a sweep are of four kinds: *tuned* ones, which are chosen;
//! those an adversary holds (the *attacks*), over which the worst is taken;
//! *seeds*, over which the mean is taken; and the others, which say what is
//! studied: there is a choice for each of their combinations.

use std::collections::{BTreeSet, HashSet};

use toml::Table;

use super::cells::label;
use crate::report::Estimate;

/// A cell and what it came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What the cell sets.
    pub assignments: Table,
    /// Whether anyone attacks in it; a cell that is not completed counts as attacked.
    pub attacked: bool,
    /// Its accuracies; none if it is not completed.
    pub accuracy: Option<Accuracy>,
}

/// Accuracies at the end of a cell, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// On the validation set.
    pub validation: f64,
    /// On the test set.
    pub test: f64,
}

/// Which keys are tuned, and which are the adversary's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The keys whose values are chosen.
    pub tuned: Vec<String>,
    /// The keys over whose values the worst is taken.
    pub attacks: Vec<String>,
    /// The keys over whose values the mean is taken.
    pub seeds: Vec<String>,
}

/// What was chosen for one combination of the studied keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The combination.
    pub studied: Table,
    /// The values of the tuned keys.
    pub chosen: Table,
    /// The attack under which these have the lowest validation accuracy; without its keys where nobody attacks, which is a
    /// case of the worst only if there is no other.
    pub worst: Table,
    /// Validation accuracy under that attack, over seeds.
    pub validation: Estimate,
    /// Test accuracy under that attack, over seeds.
    pub test: Estimate,
    /// The lowest test accuracy of the choice under any attack, over seeds.
    pub worst_test: Estimate,
    /// How many values of the tuned keys were compared.
    pub candidates: usize,
    /// Those of them that do exactly as well as the chosen ones, which come first.
    pub tied: Vec<Table>,
    /// Those that were not, because cells of theirs are not there or not completed.
    pub incomplete: Vec<Table>,
}

/// A choice that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no values of {tuned} have completed cells for every attack and seed of the sweep{studied}")]
pub struct NoCandidate {
    tuned: String,
    studied: String,
}

/// The choice for every combination of the studied keys, in the order of `cells`, which are all cells of the sweep: an
/// attack counts though nothing was completed under it. Values whose worst attacks tie are taken in the order of `cells`.
///
/// # Errors
/// [`NoCandidate`] if nothing can be compared.
pub fn choose(cells: &[Measured], roles: &Roles) -> Result<Vec<Choice>, NoCandidate> {
    let studied = |cell: &Measured| {
        let role =
            |key: &String| [&roles.tuned, &roles.attacks, &roles.seeds].iter().any(|r| r.contains(key));
        cell.assignments.iter().filter(|(key, _)| !role(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    groups(cells.iter(), studied).into_iter().map(|(studied, cells)| best(studied, &cells, roles)).collect()
}

/// The best of the tuned values among the cells of one combination of the studied keys.
fn best(studied: Table, cells: &[&Measured], roles: &Roles) -> Result<Choice, NoCandidate> {
    let condition = |cell: &Measured| (part(cell, &roles.attacks), part(cell, &roles.seeds));
    let conditions: HashSet<String> = cells.iter().map(|cell| format!("{:?}", condition(cell))).collect();
    let (mut candidates, mut incomplete) = (Vec::new(), Vec::new());
    for (tuned, cells) in groups(cells.iter().copied(), |cell| part(cell, &roles.tuned)) {
        let done: Vec<(&Measured, Accuracy)> =
            cells.into_iter().filter_map(|cell| Some((cell, cell.accuracy?))).collect();
        let met: BTreeSet<String> = done.iter().map(|(cell, _)| format!("{:?}", condition(cell))).collect();
        if met.len() == conditions.len() {
            candidates.extend(judge(&studied, tuned, &done, roles));
        } else {
            incomplete.push(tuned);
        }
    }
    let better = |a: Choice, b: &Choice| if b.validation.mean > a.validation.mean { b.clone() } else { a };
    let choice = candidates.first().map(|first| candidates[1..].iter().fold(first.clone(), better));
    let choice = choice.ok_or_else(|| NoCandidate {
        tuned: roles.tuned.join(", "),
        studied: if studied.is_empty() { String::new() } else { format!(" where {}", label(&studied)) },
    })?;
    let ties =
        |other: &&Choice| other.validation.mean == choice.validation.mean && other.chosen != choice.chosen;
    let tied = candidates.iter().filter(ties).map(|other| other.chosen.clone()).collect();
    Ok(Choice { candidates: candidates.len(), tied, incomplete, ..choice })
}

/// How one combination of tuned values does under its worst attack; none without cells.
fn judge(studied: &Table, chosen: Table, cells: &[(&Measured, Accuracy)], roles: &Roles) -> Option<Choice> {
    let under = cases(cells, roles);
    let lower = |a: Estimate, b: Estimate| if b.mean < a.mean { b } else { a };
    let worst_test = under.iter().map(|case| case.test).reduce(lower)?;
    let worst = under.into_iter().reduce(|a, b| if b.validation.mean < a.validation.mean { b } else { a })?;
    Some(Choice {
        studied: studied.clone(),
        chosen,
        worst: worst.attack,
        validation: worst.validation,
        test: worst.test,
        worst_test,
        candidates: 0,
        tied: Vec::new(),
        incomplete: Vec::new(),
    })
}

/// The seeds of one attack.
struct Case {
    attack: Table,
    validation: Estimate,
    test: Estimate,
}

/// The cases among which the worst is sought: those in which someone attacks, or all if nobody does.
fn cases(cells: &[(&Measured, Accuracy)], roles: &Roles) -> Vec<Case> {
    let is_attacked = |(cell, _): &&(&Measured, Accuracy)| cell.attacked;
    let anyone = cells.iter().any(|cell| is_attacked(&cell));
    let counted = cells.iter().filter(|cell| !anyone || is_attacked(cell));
    let mut attacks = groups(counted, |(cell, _)| part(cell, &roles.attacks));
    if !anyone {
        let is_attack = |key: &str| key.starts_with("attackers");
        attacks.iter_mut().for_each(|(attack, _)| attack.retain(|key, _| !is_attack(key)));
    }
    let estimate = |cells: &[&(&Measured, Accuracy)], of: fn(&Accuracy) -> f64| {
        Estimate::of(&cells.iter().map(|(_, accuracy)| of(accuracy)).collect::<Vec<_>>())
    };
    let case = |(attack, cells): (Table, Vec<&(&Measured, Accuracy)>)| {
        let (validation, test) = (estimate(&cells, |a| a.validation)?, estimate(&cells, |a| a.test)?);
        Some(Case { attack, validation, test })
    };
    attacks.into_iter().filter_map(case).collect()
}

/// What a cell sets of `keys`.
fn part(cell: &Measured, keys: &[String]) -> Table {
    keys.iter().filter_map(|key| Some((key.clone(), cell.assignments.get(key)?.clone()))).collect()
}

/// Cells with the same table together, in the order in which the tables first appear.
fn groups<C: Copy>(cells: impl Iterator<Item = C>, table: impl Fn(C) -> Table) -> Vec<(Table, Vec<C>)> {
    let mut groups: Vec<(Table, Vec<C>)> = Vec::new();
    for cell in cells {
        let table = table(cell);
        match groups.iter_mut().find(|(known, _)| *known == table) {
            Some((_, members)) => members.push(cell),
            None => groups.push((table, vec![cell])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{Accuracy, Estimate, Measured, Roles, choose};

    /// Validation accuracy of (rule, lr, attack, seed): any function that is not monotone in lr will do.
    fn validation(rule: i64, lr: i64, attack: i64, seed: i64) -> f64 {
        let x = (rule * 7919 + lr * 104_729 + attack * 1299 + seed * 31) % 1000;
        x as f64 / 1000.0
    }

    fn cells() -> Vec<Measured> {
        let mut cells = Vec::new();
        for at in 0..2 * 5 * 3 * 4 {
            let (seed, attack, lr, rule) = (at % 4, at / 4 % 3, at / 12 % 5, at / 60);
            let text = format!("rule = {rule}\nlr = {lr}\n'attackers.0.attack' = {attack}\nseed = {seed}");
            let validation = validation(rule, lr, attack, seed);
            let accuracy = Some(Accuracy { validation, test: 1.0 - validation });
            cells.push(Measured { assignments: toml::from_str(&text).unwrap(), attacked: true, accuracy });
        }
        cells
    }

    fn roles() -> Roles {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Roles { tuned: keys(&["lr"]), attacks: keys(&["attackers.0.attack"]), seeds: keys(&["seed"]) }
    }

    #[test]
    fn the_choice_is_that_of_four_nested_loops() {
        let choices = choose(&cells(), &roles()).unwrap();
        assert_eq!(choices.len(), 2);
        for (rule, choice) in (0..).zip(&choices) {
            let mean = |lr, attack| (0..4).map(|seed| validation(rule, lr, attack, seed)).sum::<f64>() / 4.0;
            let mut best = (f64::NEG_INFINITY, 0, 0);
            for lr in 0..5 {
                let mut worst = (f64::INFINITY, 0);
                for attack in 0..3 {
                    if mean(lr, attack) < worst.0 {
                        worst = (mean(lr, attack), attack);
                    }
                }
                if worst.0 > best.0 {
                    best = (worst.0, lr, worst.1);
                }
            }
            assert_eq!(choice.studied["rule"].as_integer(), Some(rule));
            assert_eq!(choice.chosen["lr"].as_integer(), Some(best.1));
            assert_eq!(choice.worst["attackers.0.attack"].as_integer(), Some(best.2));
            assert!((choice.validation.mean - best.0).abs() < 1e-12);
            assert!((choice.test.mean - (1.0 - best.0)).abs() < 1e-12);
            let lowest = (0..3).map(|attack| 1.0 - mean(best.1, attack)).fold(f64::INFINITY, f64::min);
            assert!((choice.worst_test.mean - lowest).abs() < 1e-12);
            let seeds: Vec<f64> = (0..4).map(|seed| validation(rule, best.1, best.2, seed)).collect();
            assert_eq!(Some(choice.validation), Estimate::of(&seeds));
            assert_eq!((choice.candidates, choice.tied.len()), (5, 0));
        }
    }

    #[test]
    fn values_that_do_as_well_are_told() {
        let mut cells = cells();
        let best = choose(&cells, &roles()).unwrap()[0].chosen["lr"].as_integer().unwrap();
        let other = (best + 1) % 5; // is given the accuracies of the best
        for cell in &mut cells {
            let at = |key: &str| cell.assignments[key].as_integer().unwrap();
            if (at("rule"), at("lr")) == (0, other) {
                let validation = validation(0, best, at("attackers.0.attack"), at("seed"));
                cell.accuracy = Some(Accuracy { validation, test: 0.0 });
            }
        }
        let choice = &choose(&cells, &roles()).unwrap()[0];
        let lr = |table: &toml::Table| table["lr"].as_integer().unwrap();
        assert_eq!(
            (lr(&choice.chosen), choice.tied.iter().map(lr).collect::<Vec<_>>()),
            (best.min(other), vec![best.max(other)])
        );
    }

    /// Here they do worst without attackers, as the mean over few workers may.
    #[test]
    fn where_nobody_attacks_is_no_case_of_the_worst_unless_it_is_the_only_one() {
        let mut cells = cells();
        let attack = |cell: &Measured| cell.assignments["attackers.0.attack"].as_integer().unwrap();
        for cell in cells.iter_mut().filter(|cell| attack(cell) == 1) {
            cell.attacked = false;
            cell.accuracy = Some(Accuracy { validation: -1.0, test: -1.0 });
        }
        let others: Vec<Measured> = cells.iter().filter(|cell| attack(cell) != 1).cloned().collect();
        let free: Vec<Measured> = cells.iter().filter(|cell| attack(cell) == 1).cloned().collect();
        assert_eq!(choose(&cells, &roles()), choose(&others, &roles()));
        let choice = &choose(&free, &roles()).unwrap()[0];
        assert!(choice.worst.is_empty() && choice.validation.mean == -1.0, "{choice:?}");
    }

    #[test]
    fn values_with_missing_cells_are_not_compared() {
        let mut cells = cells();
        let first = choose(&cells, &roles()).unwrap()[0].chosen.clone();
        let at = cells.iter().position(|cell| cell.assignments["lr"] == first["lr"]).unwrap();
        cells.remove(at);
        let choice = &choose(&cells, &roles()).unwrap()[0];
        assert_ne!(choice.chosen, first);
        assert_eq!((choice.incomplete.as_slice(), choice.candidates), ([first].as_slice(), 4));
    }

    /// Where every candidate fails under one attack, the worst is not among the others.
    #[test]
    fn an_attack_under_which_nothing_is_completed_is_not_forgotten() {
        let mut cells = cells();
        let under = |cell: &&mut Measured| cell.assignments["attackers.0.attack"].as_integer() == Some(2);
        cells.iter_mut().filter(under).for_each(|cell| cell.accuracy = None);
        let message = choose(&cells, &roles()).unwrap_err().to_string();
        assert!(message.contains("completed cells for every attack"), "{message}");
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        let cells: Vec<Measured> = cells()
            .into_iter()
            .filter(|cell| {
                let at = |key: &str| cell.assignments[key].as_integer().unwrap();
                (at("lr") + at("seed")) % 2 == 0
            })
            .collect();
        let message = choose(&cells, &roles()).unwrap_err().to_string();
        assert!(message.contains("lr") && message.contains("rule=0"), "{message}");
    }

    #[test]
    fn a_better_test_accuracy_does_not_change_the_choice() {
        let mut cells = cells();
        let before = choose(&cells, &roles()).unwrap();
        cells.iter_mut().flat_map(|cell| &mut cell.accuracy).for_each(|accuracy| accuracy.test = 0.5);
        let after = choose(&cells, &roles()).unwrap();
        assert_eq!(before[0].chosen, after[0].chosen);
        assert_eq!(before[1].chosen, after[1].chosen);
    }
}
