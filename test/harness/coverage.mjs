/** Coverage is measured in this process alone: the bundles that tests start are none of the sources, and many. */
delete process.env.NODE_V8_COVERAGE;
