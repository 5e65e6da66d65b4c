-- `status` counts the orders without events. They are few, and without this index it would read the whole feed.
CREATE INDEX feed_withheld ON sales_data_exporter_orders_v2 (exported) WHERE exported <> 0 AND is_deleted = 0;
