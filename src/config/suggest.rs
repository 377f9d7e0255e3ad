//! What is said of a name that is none of those that are known: the one that was probably meant, or all of them.

use super::shorten;

/// What papers and other programs call things, squeezed as by [`squeezed`], and their names here. One counts only where
/// its name here is known, so that a word may stand for a rule in one place and for a model in another.
const ELSEWHERE: &[(&str, &str)] = &[
    // rules and layers over them
    ("average", "mean"),
    ("fedavg", "weighted-mean"),
    ("median", "cwmed"),
    ("comed", "cwmed"),
    ("coordinatemedian", "cwmed"),
    ("coordinatewisemedian", "cwmed"),
    ("trmean", "cwtm"),
    ("trimmedmean", "cwtm"),
    ("coordinatewisetrimmedmean", "cwtm"),
    ("meanaroundmedian", "meamed"),
    ("signsgd", "sign-majority"),
    ("majorityvote", "sign-majority"),
    ("gm", "geometric-median"),
    ("geomed", "geometric-median"),
    ("rfa", "geometric-median"),
    ("mkrum", "multi-krum"),
    ("cc", "centered-clipping"),
    ("cclip", "centered-clipping"),
    ("minimumdiameteraveraging", "mda"),
    ("comparativegradientelimination", "cge"),
    ("divideandconquer", "dnc"),
    ("nearestneighbormixing", "nnm"),
    ("nearestneighbourmixing", "nnm"),
    ("staticclipping", "clipping"),
    ("adaptiverobustclipping", "arc"),
    // attacks
    ("signflipping", "sign-flip"),
    ("labelflipping", "label-flip"),
    ("innerproductmanipulation", "ipm"),
    ("empire", "foe"),
    ("fallofempires", "foe"),
    ("lie", "alie"),
    ("little", "alie"),
    ("alittleisenough", "alie"),
    ("optimalinnerproductmanipulation", "opt-ipm"),
    ("optimalalittleisenough", "opt-alie"),
    ("noise", "gaussian"),
    ("replay", "stale"),
    // estimators
    ("sgdm", "momentum"),
    ("momentumsgd", "momentum"),
    ("heavyball", "momentum"),
    ("mu2", "storm"),
    ("mu2sgd", "storm"),
    // server steps
    ("fedavg", "sgd"),
    ("fedavgm", "sgd"),
    ("momentum", "sgd"),
    ("heavyball", "sgd"),
    ("servermomentum", "sgd"),
    ("nesterov", "sgd"),
    ("fedadam", "adam"),
    ("amsgrad", "adam"),
    ("fedyogi", "yogi"),
    ("fedadagrad", "adagrad"),
    ("mu2", "anytime-sgd"),
    ("mu2sgd", "anytime-sgd"),
    ("anytime", "anytime-sgd"),
    // models, data sets and partitions
    ("resnet", "resnet18"),
    ("softmax", "logistic"),
    ("logreg", "logistic"),
    ("logreg", "logistic-regression"),
    ("logregmnist", "logistic"),
    ("fcmnist", "mlp"),
    ("quadratic", "least-squares"),
    ("fmnist", "fashion-mnist"),
    ("emnist", "idx"),
    ("noniid", "dirichlet"),
    ("lda", "dirichlet"),
    ("dirichletniid", "dirichlet"),
    ("gammasimilarityniid", "gamma-similarity"),
    ("extremeniid", "extreme"),
    ("pathological", "classes"),
];

/// Keys, squeezed, that are called otherwise elsewhere or looked for at another place, and where they stand.
const PLACES: &[(&str, &str)] = &[
    ("alpha", "task.partition.dirichlet.alpha"),
    ("attack", "attackers.0.attack"),
    ("batchsize", "workers.0.batch_size"),
    ("clientfraction", "participation.cohort"),
    ("clip", "task.clip"),
    ("dataset", "task.dataset"),
    ("device", "machine.device"),
    ("dirichletalpha", "task.partition.dirichlet.alpha"),
    ("estimator", "workers.0.estimator"),
    ("every", "evaluation.every"),
    ("f", "aggregator.f"),
    ("fraction", "participation.cohort"),
    ("fractionfit", "participation.cohort"),
    ("learningrate", "aggregator.step.sgd.lr"),
    ("localepochs", "task.local_steps"),
    ("locallr", "task.local_lr"),
    ("localsteps", "task.local_steps"),
    ("lr", "aggregator.step.sgd.lr"),
    ("model", "task.model"),
    ("nbbyz", "attackers.0.count"),
    ("nbhonest", "workers.0.count"),
    ("nbhonestclients", "workers.0.count"),
    ("nbsteps", "rounds"),
    ("nbworkers", "workers.0.count"),
    ("numbyzantine", "attackers.0.count"),
    ("numclients", "workers.0.count"),
    ("numrounds", "rounds"),
    ("numworkers", "workers.0.count"),
    ("partition", "task.partition"),
    ("proximalmu", "task.local_proximal"),
    ("rule", "aggregator.rule"),
    ("step", "aggregator.step"),
    ("threads", "machine.threads"),
    ("weightdecay", "aggregator.step.sgd.weight_decay"),
];

/// A key of an experiment that is none of those that are known where it stands: one of these may be meant, or else one
/// that stands elsewhere.
pub(crate) fn unknown_key<S: AsRef<str>>(name: &str, known: &[S]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let plain = squeezed(name);
    match PLACES.iter().find(|(alias, _)| *alias == plain && nearest(name, &known).is_none()) {
        Some((_, place)) => {
            let known = known.join(", ");
            format!("unknown key `{}`; `{place}` may be meant; known here: {known}", shorten(name))
        }
        None => unknown("key", name, &known),
    }
}

/// A name that is none of those that are known, which may be long.
pub(crate) fn unknown<S: AsRef<str>>(noun: &str, name: &str, known: &[S]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let hint = match nearest(name, &known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; none is known here".into(),
        None => format!("; known: {}", known.join(", ")),
    };
    format!("unknown {noun} `{}`{hint}", shorten(name))
}

/// The known name that was probably meant: spelt otherwise, called otherwise elsewhere, or mistyped.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = squeezed(name);
    let spelt = known.iter().find(|k| squeezed(k) == plain);
    let called = || {
        let mut names = ELSEWHERE.iter().filter(|(alias, _)| *alias == plain);
        names.find_map(|(_, here)| known.iter().find(|k| *k == here))
    };
    spelt.or_else(called).copied().or_else(|| mistyped(name, known))
}

/// The known name from which the fewest slips lead to `name`, if they are few.
fn mistyped<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k));
    let near = distances.min().filter(|(distance, k)| *distance <= 1 + name.len().max(k.len()) / 4);
    near.map(|(_, near)| near)
}

/// `name` in lower case, without what joins words.
fn squeezed(name: &str) -> String {
    let is_joint = |ch: &char| "-_".contains(*ch) || ch.is_whitespace();
    name.chars().filter(|ch| !is_joint(ch)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::ValueEnum;

    use super::{ELSEWHERE, PLACES, nearest, squeezed, unknown, unknown_key};
    use crate::{
        config::read_back,
        registry::{Catalogue, Registry},
    };

    #[test]
    fn names_of_elsewhere_and_other_spellings_come_before_slips() {
        let rules = ["mean", "cwmed", "cwtm", "multi-krum", "geometric-median"];
        for (name, meant) in [
            ("median", Some("cwmed")),
            ("Coordinate-wise Median", Some("cwmed")),
            ("trimmed_mean", Some("cwtm")),
            ("RFA", Some("geometric-median")),
            ("multikrum", Some("multi-krum")),
            ("MultiKrum", Some("multi-krum")),
            ("CWMED", Some("cwmed")),
            ("meen", Some("mean")),
            ("alittleisenough", None),
        ] {
            assert_eq!(nearest(name, &rules), meant, "{name}");
        }
        assert_eq!(nearest("logreg", &["least-squares", "logistic-regression"]), Some("logistic-regression"));
        assert_eq!(nearest("median", &["min", "max"]), None);
        assert_eq!(unknown("rule", "median", &rules), "unknown rule `median`; did you mean `cwmed`?");
    }

    #[test]
    fn keys_of_elsewhere_lead_to_their_place() {
        let said = |name: &str, known: &[&str]| unknown_key(name, known);
        let level = ["name", "seed", "rounds", "task"];
        let found =
            "unknown key `num_clients`; `workers.0.count` may be meant; known here: name, seed, rounds, task";
        assert_eq!(said("num_clients", &level), found);
        assert_eq!(said("step", &["steps", "nu"]), "unknown key `step`; did you mean `steps`?");
        assert_eq!(
            said("batch-size", &["batch_size"]),
            "unknown key `batch-size`; did you mean `batch_size`?"
        );
        assert_eq!(said("round", &level), "unknown key `round`; did you mean `rounds`?");
        let text = r#"
            rounds = 1
            task = { dataset = "mnist", model = "mlp", clip = 1.0, local_steps = 2, local_lr = 0.1, local_proximal = 0.1, partition = { dirichlet = { alpha = 1.0 } } }
            aggregator = { rule = ["mean"], f = 1, step = { sgd = { lr = 0.1, weight_decay = 0.1 } } }
            workers = [{ count = 3, batch_size = 1, estimator = "sgd" }]
            attackers = [{ count = 1, attack = "ipm" }]
        "#;
        let config = serde_json::to_value(read_back(Path::new("c.toml"), text).unwrap()).unwrap();
        for (alias, place) in PLACES {
            assert_eq!(squeezed(alias), *alias);
            let pointer = format!("/{}", place.replace('.', "/"));
            assert!(config.pointer(&pointer).is_some(), "{place} is nowhere in {config}");
        }
    }

    #[test]
    fn every_name_of_elsewhere_leads_to_one_of_here() {
        let registry = Registry::default();
        let cards = Catalogue::value_variants().iter().flat_map(|kind| registry.cards(*kind));
        let names: Vec<String> = cards.map(|card| card.name).collect();
        for (alias, here) in ELSEWHERE {
            assert_eq!(squeezed(alias), *alias);
            // Without libtorch there are no models.
            let is_model = ["resnet18", "logistic", "mlp"].contains(here);
            assert!(is_model || names.iter().any(|name| name == here), "{here}");
        }
    }
}
