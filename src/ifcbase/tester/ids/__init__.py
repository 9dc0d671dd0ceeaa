"""Reading an IDS in stages: safe XML, the IDS schema, the audit against the IFC schema."""
