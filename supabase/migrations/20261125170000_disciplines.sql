-- The discipline of a model is guessed from what its elements are, when a version of it is read for the
-- first time; a person's word stands over every guess.

create function core.discipline_of(ifc_class text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- By the beginning of the class, so that types and standard cases of one thing count alike. What
  -- every discipline draws (walls, slabs, members, plates, proxies) says nothing.
  select case
    when ifc_class ~ '^Ifc(Beam|Bearing|CaissonFoundation|Column|DeepFoundation|Footing|Pile|Reinforc|Tendon)'
      then 'structure'
    when ifc_class ~ ('^Ifc(Actuator|AirT|Alarm|AudioVisual|Boiler|Burner|Cable|Chiller|Coil|Communications'
        '|Compressor|Condenser|Controller|Cooled|Cooling|Damper|Distribution|Duct|Electric|EnergyConversion'
        '|Engine|Evaporat|Fan|Filter|FireSuppression|Flow|HeatExchanger|Humidifier|Interceptor|JunctionBox'
        '|Lamp|LightFixture|LiquidTerminal|MedicalDevice|MobileTelecom|MotorConnection|Outlet|Pipe'
        '|Protective|Pump|Sanitary|Sensor|SolarDevice|SpaceHeater|StackTerminal|Switching|Tank|Transformer'
        '|TubeBundle|Unitary|Valve|WasteTerminal)')
      then 'services'
    when ifc_class ~ '^Ifc(Covering|CurtainWall|Door|Furni|Railing|Ramp|Roof|Shading|Stair|SystemFurniture|Window)'
      then 'architecture'
  end
$$;
comment on function core.discipline_of(text) is
  'The discipline an element of this class speaks for: architecture, structure, services, or null.';

create function core.guess_discipline(version_id bigint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- Most of what speaks for any discipline speaks for this one, and it is a tenth of all elements: a
  -- column in an architect's model makes no structure.
  with counted as (
    select core.discipline_of(k.ifc_class) as discipline, sum(k.elements) as elements
      from (select c.ifc_class, count(*) as elements
              from core.model_versions v
              join core.content c on c.model_id = v.model_id and c.first_number <= v.number
               and (c.last_number is null or c.last_number >= v.number)
             where v.id = version_id and c.physical
             group by c.ifc_class) k
     group by 1
  )
  select c.discipline from counted c
   where c.discipline is not null
     and 2 * c.elements > (select sum(o.elements) from counted o where o.discipline is not null)
     and 10 * c.elements >= (select sum(o.elements) from counted o)
$$;
comment on function core.guess_discipline(bigint) is
  'The discipline that the elements of a model version speak for; null where they do not agree.';

create function core.note_discipline() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Once: lists by discipline would change under their readers if a revision could change it.
  if exists (select from core.models m where m.id = new.model_id and m.discipline is null
                and m.discipline_source = 'guessed') then
    update core.models m set discipline = core.guess_discipline(new.id) where m.id = new.model_id;
  end if;
  return null;
end
$$;
comment on function core.note_discipline() is
  'Guesses the discipline of a model that has none when the elements of a version are known.';
create trigger note_discipline after update of inventoried_at on core.model_versions
  for each row when (old.inventoried_at is null and new.inventoried_at is not null)
  execute function core.note_discipline();

update core.models m set discipline = core.guess_discipline(v.id)
  from (select distinct on (x.model_id) x.model_id, x.id from core.model_versions x
         where x.inventoried_at is not null order by x.model_id, x.number desc) v
 where v.model_id = m.id and m.discipline is null and m.discipline_source = 'guessed';

revoke all on function core.discipline_of(text), core.guess_discipline(bigint), core.note_discipline()
  from public, anon, authenticated, ifc_worker;
grant execute on function core.discipline_of(text), core.guess_discipline(bigint), core.note_discipline()
  to service_role;
