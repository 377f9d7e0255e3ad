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
    use clap::ValueEnum;

    use super::{ELSEWHERE, nearest, squeezed, unknown};
    use crate::registry::{Catalogue, Registry};

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
    fn every_name_of_elsewhere_leads_to_one_of_here() {
        let registry = Registry::default();
        let cards = Catalogue::value_variants().iter().flat_map(|kind| registry.cards(*kind));
        let names: Vec<String> = cards.map(|card| card.name).collect();
        for (alias, here) in ELSEWHERE {
            assert_eq!(squeezed(alias), *alias);
            // Without libtorch there are no models.
            let is_model = ["resnet18", "logistic"].contains(here);
            assert!(is_model || names.iter().any(|name| name == here), "{here}");
        }
    }
}
