//! The attributes of a key in CloudHSM's words: one row each, in the order in which AWS prints them.
//!
//! What a value may be is not decided here but by the rules of the HSM; a row adds only what AWS's CLI itself
//! refuses (User Guide, cloudhsm_cli-key-attributes-table).

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS, vendor};
use hsm::config::Regime;
use hsm::object::Template;
use hsm::object::rules::{self, Cell, Making};

use crate::input::Hex;
use crate::output::Failure;

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Flag,
    /// As it is.
    Text,
    /// `0x` and hexadecimal digits.
    Hex,
    /// A word for a number of `CKA_CLASS`.
    Class,
    /// A word for a number of `CKA_KEY_TYPE`.
    KeyType,
    /// Follows from the key's material, see [`super::view`].
    Figure,
}

/// Who gives the value of a new key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// The user, in an attribute list.
    List,
    /// The same, for private keys only.
    PrivateKeyList,
    /// The user, by an option of its own.
    Option,
    /// The HSM.
    Hsm,
}

/// One attribute.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) id: CK_ATTRIBUTE_TYPE,
    pub(super) form: Form,
    given: Given,
}

const fn row(name: &'static str, id: CK_ATTRIBUTE_TYPE, form: Form, given: Given) -> Row {
    Row { name, id, form, given }
}

/// Every attribute that is shown.
pub(super) static ROWS: &[Row] = &[
    row("key-type", ck::CKA_KEY_TYPE, Form::KeyType, Given::List),
    row("label", ck::CKA_LABEL, Form::Text, Given::Option),
    row("id", ck::CKA_ID, Form::Hex, Given::List),
    row("check-value", ck::CKA_CHECK_VALUE, Form::Hex, Given::Hsm),
    row("class", ck::CKA_CLASS, Form::Class, Given::List),
    row("encrypt", ck::CKA_ENCRYPT, Form::Flag, Given::List),
    row("decrypt", ck::CKA_DECRYPT, Form::Flag, Given::List),
    row("token", ck::CKA_TOKEN, Form::Flag, Given::Option),
    row("always-sensitive", ck::CKA_ALWAYS_SENSITIVE, Form::Flag, Given::Hsm),
    row("derive", ck::CKA_DERIVE, Form::Flag, Given::List),
    row("destroyable", ck::CKA_DESTROYABLE, Form::Flag, Given::List),
    row("extractable", ck::CKA_EXTRACTABLE, Form::Flag, Given::List),
    row("local", ck::CKA_LOCAL, Form::Flag, Given::Hsm),
    row("modifiable", ck::CKA_MODIFIABLE, Form::Flag, Given::List),
    row("never-extractable", ck::CKA_NEVER_EXTRACTABLE, Form::Flag, Given::Hsm),
    row("private", ck::CKA_PRIVATE, Form::Flag, Given::List),
    row("mldsa-algorithm", vendor::CKA_CLOUDHSM_PARAMETER_SET, Form::Figure, Given::Option),
    row("sensitive", ck::CKA_SENSITIVE, Form::Flag, Given::PrivateKeyList),
    row("sign", ck::CKA_SIGN, Form::Flag, Given::List),
    row("trusted", ck::CKA_TRUSTED, Form::Flag, Given::Hsm),
    row("unwrap", ck::CKA_UNWRAP, Form::Flag, Given::List),
    row("verify", ck::CKA_VERIFY, Form::Flag, Given::List),
    row("wrap", ck::CKA_WRAP, Form::Flag, Given::List),
    row("wrap-with-trusted", ck::CKA_WRAP_WITH_TRUSTED, Form::Flag, Given::List),
    row("key-length-bytes", ck::CKA_VALUE_LEN, Form::Figure, Given::Option),
    row("public-exponent", ck::CKA_PUBLIC_EXPONENT, Form::Hex, Given::Option),
    row("modulus", ck::CKA_MODULUS, Form::Hex, Given::Hsm),
    row("modulus-size-bits", ck::CKA_MODULUS_BITS, Form::Figure, Given::Option),
    row("ec-point", ck::CKA_EC_POINT, Form::Figure, Given::Hsm),
    row("curve", ck::CKA_EC_PARAMS, Form::Figure, Given::Option),
];

/// The words for classes.
pub(super) const CLASSES: &[(&str, CK_OBJECT_CLASS)] =
    &[("secret-key", ck::CKO_SECRET_KEY), ("public-key", ck::CKO_PUBLIC_KEY), ("private-key", ck::CKO_PRIVATE_KEY)];

/// The words for key types.
pub(super) const KEY_TYPES: &[(&str, CK_KEY_TYPE)] = &[
    ("aes", ck::CKK_AES),
    ("rsa", ck::CKK_RSA),
    ("ec", ck::CKK_EC),
    ("ec-edwards", ck::CKK_EC_EDWARDS),
    ("generic-secret", ck::CKK_GENERIC_SECRET),
    ("des3", ck::CKK_DES3),
    ("ml-dsa", vendor::CKK_CLOUDHSM_ML_DSA),
    ("ml-dsa", ck::CKK_ML_DSA),
];

/// The row of a name.
pub(super) fn find(name: &str) -> Result<&'static Row, Failure> {
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| Failure::new(format!("{name} is no key attribute")))
}

/// Splits `name=value`.
pub(super) fn split(item: &str) -> Result<(&str, &str), Failure> {
    item.split_once('=').ok_or_else(|| Failure::new(format!("{item} is not of the form name=value")))
}

/// What kind of key a list is for, and how it is made.
#[derive(Clone, Copy)]
pub(super) struct New {
    pub(super) class: CK_OBJECT_CLASS,
    pub(super) key_type: CK_KEY_TYPE,
    pub(super) making: Making,
}

/// Adds the attributes of a list `name=value ...` to the template of a new key.
///
/// # Errors
/// AWS's texts for an attribute that has an option of its own and for a value that is not allowed.
pub(super) fn add(
    template: &mut Template,
    New { class, key_type, making }: New,
    items: &[String],
    regime: Regime<'_>,
) -> Result<(), Failure> {
    for item in items {
        let (name, text) = split(item)?;
        let row = find(name)?;
        let refused = || refused(name, text);
        match row.given {
            Given::List => {}
            Given::PrivateKeyList if class == ck::CKO_PRIVATE_KEY => {}
            Given::Hsm | Given::PrivateKeyList => return Err(refused()),
            Given::Option => {
                return Err(Failure::new(format!(
                    "{} key attribute cannot be supplied via optional attributes",
                    capitalized(name)
                )));
            }
        }
        let value = encode(row, text).ok_or_else(refused)?;
        let kind = rules::kind(class, key_type).ok_or_else(refused)?;
        match kind.rule(row.id).map_or(Cell::Unsupported, |rule| rule.cell(making, regime)) {
            // Asked for as it is anyway.
            Cell::Unsupported if row.form == Form::Flag && value == [u8::from(unknown_reads(row.id, class))] => {
                continue;
            }
            // AWS's samples ask it of generic secrets, which do neither (User Guide,
            // cloudhsm_cli-key-generate-symmetric-generic-secret).
            Cell::Unsupported if key_type == ck::CKK_GENERIC_SECRET && is_ciphering(row.id) => continue,
            Cell::Unsupported | Cell::ReadOnly | Cell::ReadOnlyTrue => return Err(refused()),
            Cell::Only(only) if value != [u8::from(only)] => return Err(refused()),
            Cell::Only(_) | Cell::OnlyZero | Cell::MandatoryZero | Cell::Mandatory | Cell::Optional(_) => {}
        }
        let fixed = match row.form {
            Form::Class => Some(class),
            Form::KeyType => Some(key_type),
            _ => None,
        };
        if fixed.is_some_and(|fixed| value != fixed.to_ne_bytes()) {
            return Err(refused());
        }
        // What the command has fixed is in the template already.
        if fixed.is_none() || !template.names(&[row.id]) {
            template.push(row.id, &value)?;
        }
    }
    Ok(())
}

const fn is_ciphering(id: CK_ATTRIBUTE_TYPE) -> bool {
    matches!(id, ck::CKA_ENCRYPT | ck::CKA_DECRYPT)
}

/// AWS's answer to a value that an attribute cannot have.
pub(super) fn refused(name: &str, text: &str) -> Failure {
    Failure::new(format!("Attribute {name} cannot be set to the value {text} by the user for this operation"))
}

/// The change of one attribute: its name, and the words of its value. A template is a list `name=value ...`; a single empty
/// word is an empty one.
///
/// # Errors
/// AWS's text for a value that is not allowed.
pub(crate) fn change(name: &str, words: &[String]) -> Result<Template, Failure> {
    let text = words.join(" ");
    let templates = [("wrap-template", ck::CKA_WRAP_TEMPLATE), ("unwrap-template", ck::CKA_UNWRAP_TEMPLATE)];
    let mut change = Template::default();
    if let Some((_, id)) = templates.iter().find(|(known, _)| *known == name) {
        let mut inner = Template::default();
        for word in words.iter().filter(|word| !word.is_empty()) {
            let (name, value) = split(word)?;
            let row = find(name)?;
            let value = encode(row, value).ok_or_else(|| refused(name, value))?;
            inner.push(row.id, &value)?;
        }
        change.push_template(*id, &inner)?;
        return Ok(change);
    }
    let row = find(name)?;
    // The guide's table of the CLI has it as fixed; its page on PKCS#11 has it as changeable.
    if row.id == ck::CKA_SENSITIVE {
        return Err(refused(name, &text));
    }
    let value = encode(row, &text).ok_or_else(|| refused(name, &text))?;
    change.push(row.id, &value)?;
    Ok(change)
}

/// What a boolean that a kind of key does not know reads as: AWS's CLI shows every boolean of every key, and a public
/// key, which anybody may have, as extractable (User Guide, cloudhsm_cli-key-generate-asymmetric-pair-rsa).
pub(super) const fn unknown_reads(id: CK_ATTRIBUTE_TYPE, class: CK_OBJECT_CLASS) -> bool {
    id == ck::CKA_EXTRACTABLE && class == ck::CKO_PUBLIC_KEY
}

/// The value in the form in which the HSM keeps it; nothing for a text that is no such value.
pub(super) fn encode(row: &Row, text: &str) -> Option<Vec<u8>> {
    let word = |words: &[(&str, u64)]| {
        words.iter().find(|(word, _)| *word == text).map(|(_, number)| number.to_ne_bytes().to_vec())
    };
    match row.form {
        Form::Flag => match text {
            "true" => Some(vec![ck::CK_TRUE]),
            "false" => Some(vec![ck::CK_FALSE]),
            _ => None,
        },
        Form::Text => Some(text.as_bytes().to_vec()),
        Form::Hex => Hex::parse(text).ok().map(|hex| hex.0),
        Form::Class => word(CLASSES),
        Form::KeyType => word(KEY_TYPES),
        Form::Figure => None,
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
