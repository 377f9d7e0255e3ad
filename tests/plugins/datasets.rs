//! Data sets from outside: one that is read and leaves a record, and those that cannot be learned from.

use std::{
    error::Error,
    fs,
    num::ParseIntError,
    path::{Path, PathBuf},
    process::Command,
};

use phalanx::{
    Program,
    config::Named,
    data::{
        Augmentation, DataError, Dataset, DatasetRule, Images, Listing, Normalisation, Place, Source,
        built_in,
    },
    experiment::{Holdings, PlanError},
    registry::Catalogue,
};
use phalanx_robust::describe::{Described, ParameterError, Preset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Images of two pixels, a line each in a file: its label and the pixels. The last two are the test set.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Lines {
    /// The file.
    path: PathBuf,
    /// How many lines it has; others are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<usize>,
    /// Whether it panics.
    panics: bool,
}

impl Described for Lines {
    const NAME: &'static str = "lines";
    const SOURCE: &'static str = "a test";
}

impl DatasetRule for Lines {
    fn check(&self) -> Result<(), ParameterError> {
        let is_given = !self.path.as_os_str().is_empty();
        ParameterError::unless(is_given, "path", "nothing", "the path of a file")
    }

    fn load(&mut self, roots: &[PathBuf]) -> Result<Dataset, DataError> {
        assert!(!self.panics, "sabotage");
        let files = roots.iter().map(|root| root.join(&self.path));
        let file = files.clone().find(|file| file.is_file());
        let file = file.ok_or_else(|| DataError::other(Self::NAME, format!("no {}", self.path.display())))?;
        let text =
            fs::read_to_string(&file).map_err(|source| DataError::Read { file: file.clone(), source })?;
        let found = text.lines().count();
        if self.lines.replace(found).is_some_and(|lines| lines != found) {
            return Err(DataError::other(Self::NAME, "it has changed"));
        }
        self.path = file;
        let words = text.lines().map(|line| line.split(' ').map(str::parse).collect());
        let rows: Vec<Vec<u8>> =
            words.collect::<Result<_, _>>().map_err(|error| DataError::other(Self::NAME, error))?;
        let (train, test) = rows.split_at(rows.len() - 2);
        Ok(Dataset {
            name: Self::NAME.to_owned(),
            train: images(train),
            validation: None,
            test: images(test),
            normalisation: Normalisation { mean: vec![0.5], std: vec![0.25] },
            augmentation: Augmentation::None,
        })
    }
}

fn images(rows: &[Vec<u8>]) -> Images {
    let labels = rows.iter().map(|row| row[0]).collect::<Vec<_>>().into();
    let pixels = rows.iter().flat_map(|row| row[1..].iter().copied()).collect::<Vec<_>>().into();
    Images { channels: 1, height: 1, width: 2, classes: 3, pixels, labels }
}

const EXPERIMENT: &str = r#"
name = "lines"
rounds = 4

[task]
dataset = { lines = { path = "some.txt" } }
model = "logistic"

[[workers]]
count = 4

[machine]
threads = 2
"#;

/// A folder with the experiment and its data: nine images, the classes in turn.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lines.toml"), EXPERIMENT).unwrap();
    let lines: String = (0..9).map(|at| format!("{} {} {}\n", at % 3, 20 * at, 255 - 20 * at)).collect();
    fs::write(folder.path().join("some.txt"), lines).unwrap();
    folder
}

fn program() -> Program {
    Program::new().dataset::<Lines>()
}

/// What the experiment's workers hold under `sets`.
fn holdings(folder: &tempfile::TempDir, sets: &[&str]) -> Result<Holdings, PlanError> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Holdings::read(program().registry(), &folder.path().join("lines.toml"), &sets, None)
}

#[test]
fn a_data_set_from_outside_is_found_beside_the_experiment_and_dealt() {
    let folder = folder();
    let found = holdings(&folder, &["workers.0.count=3", "task.validation=1"]).unwrap();
    assert_eq!(found.title, "lines dealt by iid, seed 1");
    assert_eq!((found.workers.len(), found.training.iter().sum::<usize>()), (3, 6));
}

#[test]
fn what_it_found_is_its_record_and_reads_the_same_again() {
    let (program, folder) = (program(), folder());
    let read = |named: &Named, root: &Path| {
        let asked = program.registry().datasets.make(named, Preset::Paper).unwrap();
        program.registry().shelf.read(asked, vec![root.to_owned()])
    };
    let given = Named::chain("{ lines = { path = 'some.txt' } }").unwrap().remove(0);
    let (first, record) = read(&given, folder.path()).unwrap();
    let whole = folder.path().join("some.txt").display().to_string();
    assert_eq!(record.parameters["path"].as_str(), Some(whole.as_str()));
    assert_eq!(record.parameters["lines"].to_u128(), Some(9));
    let (again, same) = read(&record, Path::new("/")).unwrap();
    assert_eq!((again.train.pixels, same), (first.train.pixels, record.clone()));
    fs::write(folder.path().join("some.txt"), "0 2 3\n1 2 3\n2 2 3\n").unwrap();
    let error = read(&record, folder.path()).unwrap_err().to_string();
    assert_eq!(error, "the data set lines: it has changed");
}

#[test]
fn what_cannot_be_read_names_its_key_or_data_set() {
    let folder = folder();
    for (file, content) in
        [("third.txt", "0 9 9\n3 9 9\n0 9 9\n0 9 9\n"), ("odd.txt", "0 9 x\n1 9 9\n2 9 9\n")]
    {
        fs::write(folder.path().join(file), content).unwrap();
    }
    for (parameters, told) in [
        ("", "task.dataset.lines.path: nothing is given; the path of a file"),
        ("path='some.txt', panics=true", "task.dataset.lines: it panicked: sabotage"),
        ("path='none.txt'", "the data set lines: no none.txt"),
        ("path='odd.txt'", "the data set lines: invalid digit found in string"),
        (
            "path='third.txt'",
            "the data set lines: its training part has the label 3 where there are 3 classes",
        ),
    ] {
        let error = holdings(&folder, &[&format!("task.dataset={{lines={{{parameters}}}}}")]).unwrap_err();
        assert!(error.to_string().contains(told), "{parameters}: {error}");
    }
    // What is behind it can be asked for.
    let odd = holdings(&folder, &["task.dataset={lines={path='odd.txt'}}"]).unwrap_err();
    assert!(odd.source().is_some_and(|source| source.is::<ParseIntError>()), "{odd:?}");
}

#[test]
fn a_data_set_that_cannot_be_learned_from_says_why() {
    type Spoil = fn(&mut Dataset);
    let spoilt: [(Spoil, &str); 12] = [
        (
            |d| d.train.pixels = vec![0; 13].into(),
            "training part has 13 pixels and 7 labels for images of 1x1x2",
        ),
        (|d| d.test.labels = vec![0; 3].into(), "test part has 4 pixels and 3 labels for images of 1x1x2"),
        (|d| d.train = images(&[]), "training part has 0 pixels and 0 labels for images of 1x1x2"),
        (|d| d.test = images(&[]), "test part has 0 pixels and 0 labels for images of 1x1x2"),
        (
            |d| d.train.width = usize::MAX,
            "training part has 14 pixels and 7 labels for images of 1x1x18446744073709551615",
        ),
        (|d| d.train.height = 0, "training part has 14 pixels and 7 labels for images of 1x0x2"),
        (|d| d.train.classes = 2, "training part has the label 2 where there are 2 classes"),
        (
            |d| (d.test.height, d.test.width) = (2, 1),
            "test part has images of 1x2x1 in 3 classes, the training part images of 1x1x2 in 3 classes",
        ),
        (
            |d| d.test.classes = 4,
            "test part has images of 1x1x2 in 4 classes, the training part images of 1x1x2 in 3 classes",
        ),
        (
            |d| d.normalisation.mean.push(0.5),
            "normalisation has 2 values of mean and 1 of std for 1 channels",
        ),
        (
            |d| d.normalisation.std[0] = 0.0,
            "normalisation has a mean of 0.5 and a deviation of 0; finite numbers",
        ),
        (
            |d| d.normalisation.mean[0] = f32::NAN,
            "normalisation has a mean of NaN and a deviation of 0.25; finite",
        ),
    ];
    let folder = folder();
    let mut lines = Lines { path: "some.txt".into(), ..Lines::default() };
    let good = lines.load(&[folder.path().to_owned()]).unwrap();
    good.check().unwrap();
    for (spoil, told) in spoilt {
        let mut dataset = good.clone();
        spoil(&mut dataset);
        let error = dataset.check().unwrap_err().to_string();
        assert!(error.starts_with(&format!("the data set lines: its {told}")), "{error}");
    }
    let held_out = Dataset { validation: Some(images(&[])), ..good };
    assert!(held_out.check().unwrap_err().to_string().contains("its validation part has 0 pixels"));
}

#[test]
fn data_sets_built_in_can_be_learned_from() {
    let roots: Vec<PathBuf> = std::env::var_os("PHALANX_DATA").map(PathBuf::from).into_iter().collect();
    let is_there = |source: &&dyn Source| Listing::of(&source.about(), &roots).place != Place::Absent;
    let there: Vec<&dyn Source> = built_in().into_iter().filter(|source| is_there(source)).collect();
    assert!(there.iter().any(|source| source.about().name == "digits"));
    there.iter().for_each(|source| source.load(&roots).unwrap().check().unwrap());
}

/// `idx` is configured as those from outside are.
#[test]
fn the_catalogue_and_the_list_of_data_have_what_an_experiment_configures() {
    let cards = program().registry().cards(Catalogue::Datasets);
    let card = cards.iter().find(|card| card.name == "lines").unwrap();
    assert!(card.summary.starts_with("Images of two pixels") && card.parameters.len() == 3, "{card:?}");
    let said = |words: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_phalanx")).args(words).output().unwrap();
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    };
    let listed = said(&["data", "list"]);
    assert!(
        listed.contains("embedded\n") && listed.contains("  as configured; `phalanx list idx`\n"),
        "{listed}"
    );
    let listed: serde_json::Value = serde_json::from_str(&said(&["data", "list", "--json"])).unwrap();
    let all = listed.as_array().unwrap();
    let named = |name| all.iter().find(|one| one["name"] == name).unwrap();
    let (digits, idx) = (&named("digits")["train"], &named("idx")["place"]);
    assert_eq!((digits, idx), (&1437.into(), &"configured".into()));
    let keys = |one: &serde_json::Value| one.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(all.iter().all(|one| keys(one) == keys(&all[0])), "{listed}");
    let fetched = said(&["data", "get", "idx"]);
    assert!(fetched.contains("`idx` is not fetched: an experiment says what it is"), "{fetched}");
}

#[cfg(feature = "torch")]
#[test]
fn a_data_set_from_outside_is_learned() {
    let folder = folder();
    let out = tempfile::tempdir().unwrap();
    let path = toml::Value::from(folder.path().join("some.txt").display().to_string());
    let sets = vec![format!("task.dataset={{lines={{path={path}}}}}")];
    let outcome = crate::run(&program(), EXPERIMENT, out.path(), sets);
    let summary = outcome.summary;
    assert_eq!((summary.error, summary.rounds), (None, 4));
    let record = fs::read_to_string(outcome.folder.path().join("config.toml")).unwrap();
    assert!(record.contains("lines = 9"), "{record}");
}
