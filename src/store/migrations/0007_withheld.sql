-- `status` counts the orders without events: few, where all of a long history would have to be looked at.
CREATE INDEX feed_withheld ON sales_data_exporter_orders_v2 (exported) WHERE exported <> 0 AND is_deleted = 0;
