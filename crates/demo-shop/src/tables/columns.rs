//! The vocabulary in which the Commerce tables are described once for both dialects: what a column holds, not how a
//! database spells it. [`crate::tables`] speaks it, [`crate::tables::schema`] renders it.

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The numeric primary key that the database counts up (`int unsigned`).
    Identity,
    /// The same for the store tables (`smallint unsigned`).
    SmallIdentity,
    /// `int unsigned NOT NULL`: the key of another row.
    Key,
    /// `int unsigned`, may be null.
    KeyOrNull,
    /// `int`, may be null.
    Int,
    /// `smallint unsigned`, may be null.
    Small,
    /// `smallint unsigned NOT NULL DEFAULT` that number.
    SmallDefault(u8),
    /// `decimal(20,4)`, may be null: money.
    Money,
    /// `decimal(20,4) NOT NULL DEFAULT 0`.
    MoneyZero,
    /// `decimal(12,4)`, may be null: a quantity, a weight, a percentage.
    Qty,
    /// `decimal(12,4) DEFAULT 0`.
    QtyZero,
    /// `varchar(n)`, may be null.
    Varchar(u16),
    /// `varchar(n) NOT NULL`.
    VarcharRequired(u16),
    /// `text`, may be null.
    Text,
    /// `longtext`, may be null.
    LongText,
    /// `datetime` or `timestamp` that nothing sets by itself, may be null.
    Moment,
    /// `timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP`.
    CreatedAt,
    /// The same with `ON UPDATE CURRENT_TIMESTAMP`, where the database can.
    UpdatedAt,
}

/// What happens to a row when the row it points to is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDelete {
    /// It goes too. Neither MariaDB nor MySQL fires triggers for such deletions.
    Cascade,
    /// Its reference becomes null: an order outlives its store view.
    SetNull,
}

/// A reference from a column to another table's key.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// The column that points.
    pub column: &'static str,
    /// The table pointed to, without prefix.
    pub table: &'static str,
    /// Its key column.
    pub key: &'static str,
    /// What a deletion does.
    pub on_delete: OnDelete,
}

/// A table of Commerce. Columns are grouped by kind, names separated by blanks.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The name without the instance's table prefix.
    pub name: &'static str,
    /// Columns by kind. An [`Kind::Identity`] or [`Kind::SmallIdentity`] column is the primary key.
    pub columns: &'static [(Kind, &'static str)],
    /// Unique constraints, each a blank-separated list of columns.
    pub unique: &'static [&'static str],
    /// Secondary indexes, likewise.
    pub indexes: &'static [&'static str],
    /// Foreign keys.
    pub references: &'static [Reference],
}

impl Table {
    /// Every column with its kind, in the order of the description.
    pub fn each_column(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.columns
            .iter()
            .flat_map(|&(kind, names)| names.split_whitespace().map(move |name| (name, kind)))
    }
}

/// A reference whose row goes with its parent.
pub(crate) const fn cascade(column: &'static str, table: &'static str, key: &'static str) -> Reference {
    Reference {
        column,
        table,
        key,
        on_delete: OnDelete::Cascade,
    }
}

/// A reference that becomes null when its target goes.
pub(crate) const fn set_null(column: &'static str, table: &'static str, key: &'static str) -> Reference {
    Reference {
        column,
        table,
        key,
        on_delete: OnDelete::SetNull,
    }
}
